"""Spans that overlap become one; a slow model of bytes against the fast one of intervals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrubbing.spans import Span, compiled, merged

SPANS = st.lists(
    st.builds(
        lambda a, n, k: Span(a, a + n, k),
        st.integers(0, 40),
        st.integers(1, 12),
        st.sampled_from(["password", "path", "jwt"]),
    ),
    max_size=12,
)


@given(SPANS)
def test_every_byte_of_a_span_goes_and_no_other(spans: list[Span]) -> None:
    kept = merged(spans)
    assert {b for s in kept for b in range(s.start, s.end)} == {b for s in spans for b in range(s.start, s.end)}
    assert all(a.end <= b.start for a, b in pairwise(kept)), "in order and apart"
    assert {s.kind for s in kept} <= {s.kind for s in spans}


@given(SPANS, st.randoms())
def test_the_order_in_which_detectors_find_does_not_matter(spans: list[Span], random: object) -> None:
    shuffled = list(spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged(shuffled) == merged(spans)
    assert merged(merged(spans)) == merged(spans)


def test_a_password_gives_way_to_what_is_known_better() -> None:
    assert merged([Span(0, 9, "password"), Span(0, 9, "github_token")]) == [Span(0, 9, "github_token")]
    assert merged([Span(0, 9, "url_credentials"), Span(4, 20, "email")]) == [Span(0, 9, "url_credentials")]


def test_patterns_see_bytes() -> None:
    assert compiled(r"[^a]+").match("é王".encode()).span() == (0, 5)
    assert compiled(r"a|ab", longest=True).match(b"ab").span() == (0, 2)
