"""Give one person what is known of him or her, in a private folder, from raw ids.

python -m pipelines.export --datasets datasets/ --key_ring keys/ --people person.txt --to export/ \\
  --operator_key keys/private/operators.json --purpose "asked on 3 March" --dry_run
"""

import os
from collections.abc import Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.changing.flags import add_change_flags, check_is_output
from pipelines.exporting.dictionary import readme
from pipelines.exporting.folder import check_folder, private_folder
from pipelines.exporting.plan import ExportPlan, days_of, plan_of, rows_of
from pipelines.exporting.rows import Rows, json_lines
from pipelines.options.audit_flags import add_audit_flags, trail_of
from pipelines.options.flags import JobParser, job_parser
from pipelines.options.wrapping import add_key_ring_flags
from pipelines.people.people_file import Person, add_people_flag, read_people
from pipelines.people.quarantined import bodies_of
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core import storage
from transforms.core.audit.reading import Reading
from transforms.core.audit.trail import append
from transforms.core.batches import QUARANTINE
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import PrivateKeys, load_private
from transforms.core.keys.roles import OPERATORS, STANDING
from transforms.core.keys.step_keys import StepKeys, step_keys_of
from transforms.core.output.code_columns import SNIPPETS, readable_columns
from transforms.core.output.output_facts import check_output
from transforms.core.output.unfinished import check_finished


def _parser() -> JobParser:
    parser = job_parser(
        "export",
        "Write all rows of one person, found by raw ids, into a private folder for the person: every dataset, "
        "suggestions and quarantined payloads included, as JSON lines and as Parquet, and a page that explains each "
        "column. The operator whose key file is given stands for it: the audit trail names that reader. Nothing is "
        "written without the checksum that a dry run has printed. docs/export.md tells all of it.",
    )
    add_change_flags(parser)
    add_people_flag(parser.add_argument)
    add = parser.add_argument
    add_key_ring_flags(add, "The key ring, by which pseudonyms are made of raw ids.", required=True)
    add("--operator_key", required=True, metavar="FILE",
        help="Key file of an operator who is named in the ring: it opens quarantine, and its reader stands for the "
        "export.")  # fmt: skip
    add("--private_key", action="append", default=[], metavar="FILE",
        help="Key file of a reader of code: the person's code of that role is in the export, too; "
        "repeatable.")  # fmt: skip
    add("--to", required=True, metavar="DIR",
        help="A local folder that is not there yet, or empty and its owner's alone.")  # fmt: skip
    add_audit_flags(parser)
    return parser


def _the_person(path: str) -> Person:
    people = read_people(path)
    if len(people) != 1:
        raise InvalidOptions(f"--people {path}: {len(people)} people are named; an export is one person's alone")
    return people[0]


def _operator(path: str, keys: StepKeys) -> PrivateKeys:
    """The key file, which must be that of an operator in the ring; raises KeyUnavailable."""
    operator = load_private(path)
    if operator.role != OPERATORS:
        raise KeyUnavailable(f"--operator_key: is of role {operator.role}; an operator stands for an export")
    probe = keys.quarantine.operators.seal(OPERATORS, STANDING, b"probe", operator.holder)  # refuses who is not named
    operator.open(STANDING, probe)
    return operator


def _readers(paths: Sequence[str]) -> list[PrivateKeys]:
    """Key files of readers of code, one for each role; raises KeyUnavailable, InvalidOptions."""
    found = [load_private(path) for path in paths]
    for keys in found:
        readable_columns(keys.role)
    if len({keys.role for keys in found}) < len(found):
        raise InvalidOptions("--private_key: two files are of one role; one is enough")
    return sorted(found, key=lambda keys: keys.role)


class Export:
    """An export with the flags of its job. Before rows of a dataset are read for the person, the trail says so."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.args = _parser().parse_args(list(argv))
        check_is_output(self.args.datasets)
        check_finished(self.args.datasets)
        check_folder("--to", self.args.to, self.args.checksum)
        ring = keyring.load(self.args.key_ring)
        check_output(self.args.datasets, None, ring)
        self._keys = step_keys_of(ring)
        self._operator = _operator(self.args.operator_key, self._keys)
        self._readers = _readers(self.args.private_key)
        self._person = _the_person(self.args.people)

    def plan(self) -> ExportPlan:
        """Looks for the person, in quarantine too."""
        days, rows = bodies_of(self.args.datasets.listing())
        self._tell(self._operator, "look for a person", QUARANTINE, days, rows)
        roles = [keys.role for keys in self._readers]
        return plan_of(self.args.datasets, self._person, self._keys.pseudonyms, self._operator, roles)

    def write(self, plan: ExportPlan) -> int:
        """Writes the folder; returns how many rows are in it."""
        rows = Rows(self._operator, self._readers)
        with private_folder("--to", self.args.to, plan.checksum) as folder:
            tables = {}
            for dataset, found in plan.datasets:
                for keys in (self._operator, *(self._readers if dataset == SNIPPETS else ())):
                    self._tell(keys, "export", dataset, days_of(found), rows_of(found))
                tables[dataset] = rows.of(dataset, found)
                _write_dataset(folder, dataset, tables[dataset])
            notes = [
                f"Code of role {role}: {count:,} rows have none that can still be opened."
                for role, count in sorted(rows.closed.items())
            ]
            missing = {"prompts", "completions"} - {*plan.roles}
            notes += [f"Code of role {role} is not in it: no key was given." for role in sorted(missing)]
            _write(folder, "README.md", readme(tables, self._operator.reader, notes).encode())
        return sum(table.num_rows for table in tables.values())

    def _tell(self, keys: PrivateKeys, action: str, dataset: str, days: Sequence[object], rows: int) -> None:
        reading = Reading(keys.reader, keys.role, action, dataset, tuple(days), rows, self.args.purpose)  # type: ignore[arg-type]
        append(trail_of(self.args.datasets, self.args.audit_log), reading)


def _write_dataset(folder: str, dataset: str, table: pa.Table) -> None:
    out = BytesIO()
    pq.write_table(table, out, compression="zstd")
    _write(folder, f"{dataset}.parquet", out.getvalue())
    _write(folder, f"{dataset}.jsonl", "".join(f"{line}\n" for line in json_lines(table)).encode("utf-8", "replace"))


def _write(folder: str, name: str, data: bytes) -> None:
    storage.write_private(os.path.join(folder, name), data)


def main(argv: Sequence[str]) -> None:
    """The command."""
    export = Export(argv)
    plan = export.plan()
    checksum = export.args.checksum
    if checksum is None:
        print("\n".join(plan.told))
        print("nothing was written; to write it, run this again with the same flags and --checksum CHECKSUM")
        print(f"checksum {plan.checksum}")
        return
    if plan.checksum != checksum:
        raise InvalidOptions(
            f"--checksum {checksum}: what there is now has another checksum; run --dry_run again with the same flags "
            "and read what it prints"
        )
    print(f"{export.write(plan):,} rows of the person are in {export.args.to}")


if __name__ == "__main__":
    run_job(main)
