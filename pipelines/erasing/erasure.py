"""The change that `pipelines.erase` and `pipelines.withdraw` make, from its plan to its receipt."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pipelines.changing.change import Change
from pipelines.erasing.code_keys import check_keys
from pipelines.erasing.ledger_rows import write_compacted, write_removed
from pipelines.erasing.plan import Erasure, Plan
from pipelines.erasing.planning import keys_needed, plan_of
from pipelines.erasing.receipt import counts_of, receipt_of
from pipelines.erasing.rewriting import Rewriter, Rewritten, check_rows
from pipelines.erasing.told import Told
from pipelines.erasing.trail import tell_of_code
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.chains.chain import record_change
from transforms.core.chains.run_manifest import PutFile
from transforms.core.curating.permitted import Permitted, Ranked
from transforms.core.output.erased import RECORD, Erased, read_erased
from transforms.core.output.layout import ERASED_FOLDER, WRITING_FOLDER, Output
from transforms.core.output.replayed import forget_gone
from transforms.core.output.schema_file import write_schema_file
from transforms.core.output.unfinished import Unfinished

_REMOTE_WRITERS = 8


def erasure_of(told: Told) -> Change[Plan]:
    """To be run dry, or carried out."""
    ranked: dict[str, Ranked] = {}

    def plan() -> Plan:
        made = plan_of(told)
        ranked.update(made.ranked)
        return made

    return Change(
        told.job,
        told.output,
        plan=plan,
        finish=lambda unfinished: finish(told, unfinished, ranked),
        keys=told.keys.signing,
        otherwise=lambda plan: note(told, plan),
        check=lambda plan: check(told, plan),
    )


def check(told: Told, plan: Plan) -> None:
    """Raises InvalidOptions where a key is missing, so that something would be lost or stay without being told."""
    check_keys(plan.keys_needed)
    if plan.unopened and not told.leaves_quarantine:
        raise InvalidOptions(
            f"{plan.unopened:,} quarantined payloads could not be looked into: give --private_key of the operators, or "
            "--leave_quarantine if they may stay until they expire; nothing was changed"
        )


def remember(output: Output, rules: Erased) -> None:
    """Adds to the record of the output what these people no longer permit."""
    before = read_erased(output)
    before.with_rules((digest, rules.rules[n]) for digest, numbers in rules.digests.items() for n in numbers).save(
        output
    )


def note(told: Told, plan: Plan) -> None:
    """Where nothing of these people was found: an old input brings nothing of them back all the same."""
    remember(told.output, plan.rules)
    facts = {"people": plan.people, "files": 0}
    record_change(told.output, told.keys.signer, told.job, [RECORD], [], facts)


def finish(told: Told, unfinished: Unfinished, ranked: Mapping[str, Ranked]) -> str:
    """Makes the change from wherever it was cut off: record, files, ledger rows, manifest, receipt; returns its path.
    `ranked` are rows that this process found when it made the plan.

    The caller holds the claim. Raises StorageUnavailable, OutputInUse, KeyUnavailable, InvalidOptions.
    """
    started_s, output = time.monotonic(), told.output
    erasure = unfinished.payload_as(Erasure)
    check_keys(keys_needed(told, erasure.files))
    storage.sweep(output.beside(WRITING_FOLDER))  # what a killed run left half written may hold rows of these people
    remember(output, erasure.rules)
    rewritten = _rewritten(told, erasure, ranked)
    known = {file.now.path: file.now for file in rewritten if file.now}
    books = _write_books(told, erasure, known)
    receipt = receipt_of(output, unfinished, erasure, rewritten, time.monotonic() - started_s)
    here = [file.path for file in erasure.files if file.rows_after]
    gone = [file.path for file in erasure.files if not file.rows_after]
    put = [*here, *books, RECORD, f"{ERASED_FOLDER}/{receipt.rpartition('/')[2]}"]
    record_change(output, told.keys.signer, unfinished.job, put, gone, counts_of(erasure), known=known)
    return receipt


def _rewritten(told: Told, erasure: Erasure, ranked: Mapping[str, Ranked]) -> list[Rewritten]:
    permitted = Permitted(erasure.rules, told.keys.erased_key)
    rewriter = Rewriter(told.output, permitted, told.private, told.keys.roles, told.ring.gone, ranked)
    files = [file.file(told.output) for file in erasure.files]
    tell_of_code(told, erasure.files)
    workers = (os.cpu_count() or 1) if storage.is_local(told.output.path) else _REMOTE_WRITERS
    with ThreadPoolExecutor(workers, "rewrite") as writers:
        found = list(writers.map(rewriter.rewrite, files))
    for file, planned, now in zip(files, erasure.files, found, strict=True):
        check_rows(file, now.rows, planned.rows_after)
    return found


def _write_books(told: Told, erasure: Erasure, known: Mapping[str, PutFile]) -> list[str]:
    """Ledger rows and records of compacted days say what is there now; returns their paths in the output."""
    write_schema_file(told.output)
    ledger = write_removed(told.output, {(row.day, row.name): row.rows for row in erasure.ledger}, known)
    return [*ledger, *write_compacted(told.output, erasure.files), *forget_gone(told.output)]
