"""Where words begin and end, behind escapes and letters outside ASCII; and that needs stand in every head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worst_texts import worst_pieces
from transforms.core.protecting.scrub import ERRORS
from transforms.core.protecting.scrubbing.density import Effort, Looks
from transforms.core.protecting.scrubbing.engine import Detector, begins_word, ends_word
from transforms.core.protecting.scrubbing.spans import compiled

BEGINS = ["", " ", "\n", ".", "_", "é", "王", "\\n", "\\t", "%3D", "%20", "\\x20", "\\u0020", "'", "%2525%3D"]
CONTINUES = ["a", "Z", "9", "\\q", "%3", "x20", "u0020", "\\u002g", "%G0", "ab"]


@pytest.mark.parametrize("before", BEGINS)
def test_a_word_begins(before: str) -> None:
    assert begins_word(f"{before}ghp".encode(), len(before.encode()))


@pytest.mark.parametrize("before", CONTINUES)
def test_a_word_goes_on(before: str) -> None:
    assert not begins_word(f"{before}ghp".encode(), len(before.encode()))


@given(st.text(max_size=20), st.integers(0, 20))
def test_a_word_ends_where_no_letter_or_digit_follows(text: str, at: int) -> None:
    raw = text.encode()
    follows = raw[at : at + 1].decode("ascii", "replace")
    assert ends_word(raw, at) == (not (follows.isascii() and follows.isalnum()))


@pytest.mark.parametrize("detector", [d for d in ERRORS.detectors if d.needs], ids=lambda d: d.name)
def test_one_of_its_needs_stands_in_every_head_of_a_detector(detector: Detector) -> None:
    """Else a text would be skipped in which its heads are: `needs` is a second, cheaper prefilter."""
    texts = [f"{a}{b}{a}" for a in worst_pieces() for b in (" ", "", "\n", " x1='")]
    heads = {match.group().lower() for text in texts for match in compiled(detector.heads).finditer(text.encode())}
    around = {text.encode().lower() for text in texts if compiled(detector.heads).search(text.encode())}
    assert heads or detector.name in ("configure", "powershell", "sshpass", "openssl"), "no text has its heads"
    windows = around if detector.name in ("mysql", "login -p") else heads
    missed = [w for w in windows if not any(need in w for need in detector.needs)]
    assert missed == [] or detector.name in ("mysql", "login -p"), "these look for the command elsewhere in the text"


@pytest.mark.parametrize("detector", ERRORS.detectors, ids=lambda d: d.name)
def test_no_detector_finds_beyond_the_text_or_nothing(detector: Detector) -> None:
    for piece in worst_pieces():
        for text in (piece.encode(), (piece * 5).encode(), f"{piece}x".encode()):
            for span in detector.find(text, text.lower(), Looks(len(text), Effort(len(text)))):
                assert 0 <= span.start < span.end <= len(text), (piece, span)
