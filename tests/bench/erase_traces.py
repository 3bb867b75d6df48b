"""No trace of the people who were erased, and everything else as it was.

Before and after are compared by code that shares nothing with the job but the making of pseudonyms: whose row it is
follows from the raw lines.
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.snippets import read_snippets
from tests.conftest import KEY_RING, PRIVATE, plain_columns
from transforms.core.keys.open_ring import open_pseudonyms
from transforms.core.keys.private_keys import load_private
from transforms.core.output.layout import Output

COLUMNS = {"installation_id": "installation", "session_id": "session", "user_id": "user"}
MACHINES = ("client_machineid", "common.vscodemachineid", "common_vscodemachineid")
TRACKED = ("copilot_trackingId", "common.tid", "ai.user.id")
SESSIONS = ("client_sessionid", "common.vscodesessionid", "common_vscodesessionid", "sessionID", "ai.session.id")


@dataclass
class Ids:
    """Raw ids of a person, as the lines show them."""

    machines: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)


def people_of(raw: Path) -> dict[str, Ids]:
    """By machine: what else each line of that machine names."""
    found: dict[str, Ids] = {}
    for path in sorted(raw.rglob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            try:
                document = json.loads(line)
                values = {**document["data"]["baseData"]["properties"], **(document.get("tags") or {})}
            except (ValueError, KeyError, TypeError):
                continue
            machine = next((values[name] for name in MACHINES if isinstance(values.get(name), str)), None)
            if machine is None:
                continue
            ids = found.setdefault(machine, Ids({machine}))
            ids.users |= {values[n] for n in TRACKED if isinstance(values.get(n), str) and values[n]}
            ids.sessions |= {values[n] for n in SESSIONS if isinstance(values.get(n), str) and values[n]}
    return found


def pseudonyms(people: Sequence[Ids]) -> dict[str, set[str]]:
    """By column, of every month."""
    keys = open_pseudonyms(KEY_RING)
    texts = sorted({text for ids in people for text in (*ids.machines, *ids.users, *ids.sessions)})
    return {
        column: {made.hex() for month in keys.person_keys for made in keys.pseudonymizer(domain, month).of_each(texts)}
        for column, domain in COLUMNS.items()
    }


def theirs(table: pa.Table, names: dict[str, set[str]]) -> np.ndarray:
    """Which rows bear one of the names."""
    found = np.zeros(table.num_rows, dtype=bool)
    for column, texts in names.items():
        if column in table.column_names:
            found |= np.asarray(pc.is_in(table[column], value_set=pa.array(sorted(texts), pa.string())))
    return found


class Needles:
    """Looks for many texts in bytes at once: by their first 8 bytes, at every place."""

    def __init__(self, needles: set[bytes]) -> None:
        self._by_start: dict[int, list[bytes]] = {}
        for needle in needles:
            if len(needle) >= 8:
                self._by_start.setdefault(int.from_bytes(needle[:8], "little"), []).append(needle)
        self._starts = np.array(sorted(self._by_start), dtype=np.uint64)

    def in_bytes(self, data: bytes) -> list[bytes]:
        """Those that are there."""
        found = []
        for offset in range(8):
            count = (len(data) - offset) // 8
            view = np.frombuffer(data, dtype="<u8", count=max(count, 0), offset=offset) if count > 0 else None
            if view is None:
                continue
            for place in np.flatnonzero(np.isin(view, self._starts)):
                at = offset + 8 * int(place)
                found += [n for n in self._by_start[int(view[place])] if data[at : at + len(n)] == n]
        return found


def plain(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read(columns=plain_columns(path))


def parquets(output: Path) -> Iterator[Path]:
    for path in sorted(output.rglob("*.parquet")):
        if path.parts[-3] not in ("ledger", "quarantine", "acceptance"):
            yield path


def code_by_event(output: Path, role: str) -> dict[str, dict[str, Any]]:
    keys = load_private(str(PRIVATE / f"{role}.json"))
    tables = read_snippets(Output(str(output)), keys, None, None)
    return {row["event_id"]: row for table in tables for row in table.to_pylist()}


def check(folder: Path, chosen: Sequence[Ids]) -> None:
    """Raises AssertionError at the first trace, and the first value of others that is not as it was."""
    names = pseudonyms(chosen)
    touched, untouched, rows_gone, event_ids = 0, 0, 0, set()
    for path in parquets(folder / "before"):
        after, before = folder / "out" / path.relative_to(folder / "before"), plain(path)
        gone = theirs(before, names)
        rows_gone += int(gone.sum())
        if "event_id" in before.column_names:
            event_ids |= set(before.filter(pa.array(gone))["event_id"].to_pylist())
        if not gone.any():
            assert after.read_bytes() == path.read_bytes(), f"{path} was touched and holds nobody of them"
            untouched += 1
            continue
        touched += 1
        kept = before.filter(pa.array(~gone))
        assert plain(after).equals(kept) if kept.num_rows else not after.exists(), path
    raw = {text for ids in chosen for text in (*ids.machines, *ids.users, *ids.sessions)}
    hexed = set().union(*names.values())
    needles = Needles(
        {t.encode() for t in (*raw, *hexed, *event_ids)} | {bytes.fromhex(t) for t in (*hexed, *event_ids)}
    )
    searched = 0
    for path in sorted(p for p in (folder / "out").rglob("*") if p.is_file()):
        data = path.read_bytes()
        searched += len(data)
        assert not needles.in_bytes(data), path
        if path.suffix == ".parquet":
            decoded = io.BytesIO()
            pq.write_table(plain(path), decoded, compression="none", use_dictionary=False)
            searched += len(decoded.getvalue())
            assert not needles.in_bytes(decoded.getvalue()), path
    control = next(p for p in parquets(folder / "before") if theirs(plain(p), names).any())
    decoded = io.BytesIO()
    pq.write_table(plain(control), decoded, compression="none", use_dictionary=False)
    assert needles.in_bytes(decoded.getvalue()), "the search finds nothing where there is something"
    for role in ("prompts", "completions"):
        before_code, after_code = (code_by_event(folder / which, role) for which in ("before", "out"))
        assert after_code == {name: row for name, row in before_code.items() if name not in event_ids}, role
        print(f"{role}: code of {len(after_code):,} events as it was, of {len(before_code) - len(after_code):,} gone")
    print(f"{rows_gone:,} rows gone; {touched:,} files written anew, {untouched:,} the same to the byte")
    print(f"{searched:,} bytes searched for {len(raw) + len(hexed) + len(event_ids):,} ids: no trace")
