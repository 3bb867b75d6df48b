"""Time grows linearly with the text: each pattern's worst text of 1 MB against that of 64 KB."""

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DATA, read_rows, run_batch
from tests.support.worst_texts import mixed_pieces, token_pieces, worst_pieces, worst_text
from transforms.core.protecting.scrub import CODE, ERRORS, scrub_json, scrub_text
from transforms.core.protecting.scrubbing.density import Effort, Looks
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.tokens import TOKENS, Token, tokens

SMALL_BYTES, LARGE_BYTES, SCREENED_BYTES = 1 << 16, 1 << 20, 1 << 12
MOST_TIMES = 20
MOST_S_PER_MB = 6.0
"""Twice the bound of docs/scrubbing.md, for a machine that others use, too."""

SHORTEST_S = 0.002
"""Below it the clock's and the collector's own time is what is measured."""


def seconds(function: Callable[[str], object], piece: str, size: int) -> float:
    text = worst_text(piece, size)
    gc.disable()  # the test's own heap takes longer than a text
    begun = time.process_time()
    function(text)
    taken_s = time.process_time() - begun
    gc.enable()
    return taken_s


def assert_linear(function: Callable[[str], object], piece: str) -> None:
    for _ in range(3):  # others use the machine, too
        small = max(SHORTEST_S, seconds(function, piece, SMALL_BYTES))
        large = seconds(function, piece, LARGE_BYTES)
        if large <= MOST_TIMES * small:
            break
    assert (large <= MOST_TIMES * small, large < MOST_S_PER_MB) == (True, True), (
        f"{piece!r}: {small:.3f} s, {large:.3f} s"
    )


def finding(detector: Detector) -> Callable[[str], object]:
    def find(text: str) -> object:
        raw = text.encode()
        return list(detector.find(raw, raw.lower(), Looks(len(raw), Effort(len(raw)))))

    return find


@pytest.mark.parametrize("detector", ERRORS.detectors, ids=lambda d: d.name)
def test_each_detector(detector: Detector) -> None:
    find = finding(detector)
    assert_linear(find, max(worst_pieces(), key=lambda piece: seconds(find, piece, SCREENED_BYTES)))


@pytest.mark.parametrize("token", tokens(), ids=lambda t: f"{t.kind} {t.keywords[0] if t.keywords else t.head}")
def test_each_token(token: Token) -> None:
    find = finding(TOKENS)
    assert_linear(find, max(token_pieces(token), key=lambda piece: seconds(find, piece, SCREENED_BYTES)))


@pytest.mark.parametrize("piece", ["/a b/", "\u200b", "%40", "1.2.3.4 "])
def test_the_whole_of_a_text(piece: str) -> None:
    assert_linear(lambda text: scrub_text(text, ERRORS, Counter()), piece)


@pytest.mark.parametrize("piece", mixed_pieces(), ids=lambda piece: piece[:8])
def test_a_text_that_is_read_again_and_again(piece: str) -> None:
    """Dense just as far as it may be, with something for every pass: before looks were counted 71 CPU seconds a MB."""
    size = 1 << 17
    taken_s = min(seconds(lambda text: scrub_text(text, ERRORS, Counter()), piece, size) for _ in range(2))
    times_measured = 3 if sys.gettrace() else 1  # coverage looks at every line
    assert taken_s < times_measured * MOST_S_PER_MB * size / 1e6


@pytest.mark.parametrize("piece", ["[", '"a",', '"\\', '\\"', "\\u0040", "\\ud83d", '"password":"a1b2c3d4",', '{"a":'])
def test_the_whole_of_json(piece: str) -> None:
    assert_linear(lambda text: scrub_json("[" + text, CODE, Counter()), piece)


def test_an_error_of_hex_digits_and_code_of_600_arrays(tmp_path: Path) -> None:
    """The first took seconds, the second stopped every run."""
    cases = DATA / "cases"
    run_batch([str(cases / "L01-error-8192-hex.ndjson"), str(cases / "deep600.ndjson")], tmp_path)
    rows = [row for dataset in ("errors", "snippets", "quarantine") for row in read_rows(tmp_path, dataset)]
    assert len(rows) == 2
    assert not any(
        b"@" in path.read_bytes() and b"example.com" in path.read_bytes() for path in tmp_path.rglob("*.parquet")
    )
    begun = time.process_time()
    scrub_text("ab" * 16_384, ERRORS, Counter())
    assert time.process_time() - begun < 0.1
