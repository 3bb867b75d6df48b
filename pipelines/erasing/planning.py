"""Makes the plan of an erasure or a withdrawal: finds the people, and says what each file loses."""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.erasing.code_keys import SNIPPETS, missing_keys
from pipelines.erasing.ledger_rows import removed_before
from pipelines.erasing.plan import Plan, Touched, ledger_of, touched
from pipelines.erasing.rules import rule_of, rules_by_digest
from pipelines.erasing.told import Told
from pipelines.erasing.trail import tell_of_quarantine
from pipelines.people.finding import FoundRows, find_people
from pipelines.people.known_as import KnownAs
from pipelines.people.quarantined import find_payloads
from schemas.registry import load
from transforms.core import storage
from transforms.core.curating.permitted import Permitted, Ranked, left_by
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.keys.roles import OPERATORS
from transforms.core.output.erased import Erased, Rule, read_erased
from transforms.core.output.layout import FileName


def plan_of(told: Told) -> Plan:
    """What would be changed now. Raises StorageUnavailable, KeyUnavailable."""
    read_erased(told.output)  # a damaged one is told now, not when files are changed
    keys, listing = told.keys, told.output.listing()
    known = KnownAs(told.people, keys.pseudonyms)
    tell_of_quarantine(told)
    with ThreadPoolExecutor(1, "quarantine") as opener:  # one after the other they took a sixth longer
        opening = opener.submit(find_payloads, listing, told.people, told.private.get(OPERATORS))
        found, payloads = find_people(listing, known), opening.result()
    of_files = [*found.files, *payloads.files]
    before_us = max([time.time_ns() // 1000, *(each.latest_us for each in of_files)]) + 1
    rules = [rule_of(person, before_us, erases=told.erases) for person in told.people]
    own = Erased().with_rules(rules_by_digest(known, found, payloads, rules, keys.erased_key))
    effects = _Effects(told, Permitted(own, keys.erased_key))
    files = effects.of(of_files)
    places = {(file.day, FileName(file.input, file.bucket, file.buckets)) for file in files}
    return Plan(
        told.job,
        len(told.people),
        found.files_read,
        own,
        files,
        ledger_of(files, removed_before(told.output, places)),
        _notes(told, files, payloads.unopened),
        keys_needed(told, files),
        payloads.unopened,
        _meant(own, rules),
        effects.ranked,
    )


@dataclass(frozen=True)
class _Effects:
    told: Told
    permitted: Permitted
    ranked: dict[str, Ranked] = field(default_factory=dict)
    """The people's rows by the path of the file."""

    def of(self, found: Sequence[FoundRows]) -> list[Touched]:
        sizes: dict[str, dict[str, int]] = {}
        files = []
        for each in found:
            folder = self.told.output.partition(each.file.dataset, each.file.day)
            if folder not in sizes:
                sizes[folder] = storage.list_sizes(folder)
            goes, changed = self._loss(each)
            if goes.any() or changed:
                files.append(touched(each.file, sizes[folder][str(each.file.name)], each.of_rows, goes, changed))
        return files

    def _loss(self, found: FoundRows) -> tuple[np.ndarray, int]:
        """Which of the rows (a mask) go, and how many others lose values."""
        count = len(found.rows)
        if self.told.erases:
            nothing = np.zeros(count, dtype=np.int64)
            self.ranked[found.file.path] = Ranked(found.rows, nothing, nothing.astype(bool))
            return np.ones(count, dtype=bool), 0
        secret = {name for names in columns_by_role(load(found.file.dataset)).values() for name in names}
        with storage.open_read(found.file.path) as opened:
            reader = pq.ParquetFile(opened)
            table = reader.read(columns=[name for name in reader.schema_arrow.names if name not in secret])
        theirs = table.take(pa.array(found.rows))
        ranks, may_have_code = self.permitted.of_rows(found.file.dataset, theirs)
        self.ranked[found.file.path] = Ranked(found.rows, ranks, may_have_code)
        left = left_by(found.file.dataset, theirs, ranks, may_have_code)
        return left.goes, int(np.count_nonzero(left.loses))


def _meant(own: Erased, rules: Sequence[Rule]) -> str:
    """A digest of who is meant and of what each permits; not of the time."""
    levels = [(rule.telemetry_level, rule.snippet_consent) for rule in rules]
    return hashlib.sha256(json.dumps([sorted(own.digests), levels]).encode()).hexdigest()


def _notes(told: Told, files: Sequence[Touched], unopened: int) -> list[str]:
    lines = [f"needs --private_key: {each}" for each in keys_needed(told, files)]
    gone = code_months(files) & told.ring.gone
    lines += [
        f"the keys of {month} are gone, and its code with them; its rows are written without it"
        for month in sorted(gone)
    ]
    if unopened:
        lines.append(
            f"{unopened:,} quarantined payloads were not looked into; only --private_key of the operators opens them"
        )
    return lines


def code_months(files: Sequence[Touched]) -> set[str]:
    """The months of files with code that are written anew, because rows stay in them."""
    return {f"{file.day:%Y-%m}" for file in files if file.dataset == SNIPPETS and file.rows_after}


def keys_needed(told: Told, files: Sequence[Touched]) -> list[str]:
    """The keys that are missing, by role and month."""
    return missing_keys(code_months(files) - told.ring.gone, told.private)
