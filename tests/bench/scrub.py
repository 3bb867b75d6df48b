"""Measures scrubbing: what is found, what ordinary code loses, what it costs, how it grows.

python -m tests.bench.scrub
"""

import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from tests.support.ordinary_lines import ordinary_lines, ordinary_texts
from tests.support.worst_texts import mixed_pieces, worst_pieces, worst_text
from transforms.core.protecting.scrub import CODE, ERRORS, Scrubber, scrub_column, scrub_text

_CASES = Path(__file__).parent.parent / "data" / "cases" / "scrub" / "labelled.jsonl"
_LINES, _TEXTS, _TEXT_CHARS = 50_000, 400, 8_000
_SMALL_BYTES, _LARGE_BYTES = 1 << 14, 1 << 18
_OLD_MB_S = {"code, texts of 8 KB": 1.1, "code, lines": 14.5, "errors, texts of 8 KB": 0.8, "errors, lines": 7.8}
"""With Python's `re`, the column at once, on a machine that does 10 and 11 with what is here now."""


def _recall() -> None:
    cases = [json.loads(line) for line in _CASES.read_text().splitlines()]
    found: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        out = scrub_text(case["text"], CODE if case["mode"] == "code" else ERRORS, Counter())
        found[case["kind"]].append(out == case["text"] if case["secret"] is None else case["secret"] not in out)
    stay = found.pop("stay")
    every = [hit for hits in found.values() for hit in hits]
    print(
        f"recall {sum(every) / len(every):.3f} of {len(every)} secrets of {len(found)} kinds; {sum(stay)} of {len(stay)} stay"
    )
    for kind, hits in sorted(found.items(), key=lambda item: sum(item[1]) / len(item[1])):
        if not all(hits):
            print(f"  {kind}: {sum(hits)} of {len(hits)}")


def _cost(name: str, texts: list[str], scrubber: Scrubber) -> None:
    column, size = pa.array(texts), sum(len(text.encode()) for text in texts)
    begun = time.process_time()
    scrubbed, _ = scrub_column(column, scrubber, Counter())
    taken_s = time.process_time() - begun
    touched = sum(a != b for a, b in zip(texts, scrubbed.to_pylist(), strict=True))
    print(f"| {name} | {size / 1e6 / taken_s:.1f} | {_OLD_MB_S[name]} | {1000 * touched / len(texts):.2f} |")


def _growth() -> None:
    """The ten worst of the texts that grow without end."""
    rows = []
    for piece in [*worst_pieces(), *mixed_pieces()]:
        taken = []
        for size in (_SMALL_BYTES, _LARGE_BYTES):
            text = worst_text(piece, size)
            begun = time.process_time()
            scrub_text(text, ERRORS, Counter())
            taken.append(time.process_time() - begun)
        rows.append((taken[1] * 1e6 / _LARGE_BYTES, taken[1] / max(taken[0], 1e-3), piece))
    print("\n| repeated | CPU s a MB | 256 KB over 16 KB |\n| --- | ---: | ---: |")
    for s_per_mb, ratio, piece in sorted(rows, reverse=True)[:10]:
        print(f"| {json.dumps(piece)[:40]} | {s_per_mb:.1f} | {ratio:.1f} |")


def main() -> None:
    """Prints a line and two Markdown tables."""
    _recall()
    lines, texts = ordinary_lines(_LINES), ordinary_texts(_TEXTS, _TEXT_CHARS)
    print("\n| ordinary code | MB/s | MB/s before RE2 | touched of 1,000 |\n| --- | ---: | ---: | ---: |")
    for mode, scrubber in (("code", CODE), ("errors", ERRORS)):
        _cost(f"{mode}, texts of 8 KB", texts, scrubber)
        _cost(f"{mode}, lines", lines, scrubber)
    _growth()


if __name__ == "__main__":
    main()
