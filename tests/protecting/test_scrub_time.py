"""Time grows linearly with the text: each pattern's worst text of 1 MB against that of 64 KB, and against ordinary code.

Both are ratios of CPU times of this process: a machine that others use, or a tracer, slows all of them down.
"""

import gc
import math
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import DATA, read_rows, run_batch
from tests.support.ordinary_lines import ordinary_texts
from tests.support.worst_texts import mixed_pieces, token_pieces, worst_pieces, worst_text
from transforms.core.protecting.scrub import CODE, ERRORS, scrub_json, scrub_text
from transforms.core.protecting.scrubbing.density import Effort, Looks
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.tokens import TOKENS, Token, tokens

SMALL_BYTES, LARGE_BYTES, SCREENED_BYTES = 1 << 16, 1 << 20, 1 << 12
MOST_TIMES = 40
"""16 times the text should take 16 times as long; quadratic it would be 256 times. It was 22 times on a busy machine: 64 KB
and what is found in them fit into a core's own cache, 1 MB does not."""

MOST_TIMES_ORDINARY = 30
"""The bound of docs/scrubbing.md is 3 CPU seconds a MB, where ordinary code took 0.2; 13 times was the most."""

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


@cache
def ordinary_s_per_mb() -> float:
    text = "\n".join(ordinary_texts(32, 1 << 12))
    taken = min(seconds(lambda t: scrub_text(t, ERRORS, Counter()), text, len(text.encode())) for _ in range(3))
    return taken * 1e6 / len(text.encode())


def assert_linear(function: Callable[[str], object], piece: str) -> None:
    small = large = math.inf
    most_s = MOST_TIMES_ORDINARY * ordinary_s_per_mb() * LARGE_BYTES / 1e6
    for _ in range(4):  # others use the machine, too
        small = min(small, max(SHORTEST_S, seconds(function, piece, SMALL_BYTES)))
        large = min(large, seconds(function, piece, LARGE_BYTES))
        if large <= min(MOST_TIMES * small, most_s):
            return
    raise AssertionError(f"{piece!r}: {small:.3f} s, {large:.3f} s; allowed {min(MOST_TIMES * small, most_s):.3f} s")


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
    assert taken_s < MOST_TIMES_ORDINARY * ordinary_s_per_mb() * size / 1e6


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
    taken_s = seconds(lambda text: scrub_text(text, ERRORS, Counter()), "ab", 1 << 15)
    assert taken_s < MOST_TIMES_ORDINARY / 2 * ordinary_s_per_mb() * (1 << 15) / 1e6
