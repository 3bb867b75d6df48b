"""Say what would become of each event of an input, without writing anything and without keys.

python -m pipelines.check --input raw/events.ndjson
python -m pipelines.check --input raw/events.ndjson --explain 3
"""

from collections.abc import Sequence
from typing import Any

from pipelines.checking.examine import Checked, CheckSettings, examine
from pipelines.checking.fates import Fate
from pipelines.checking.objects import lines_of
from pipelines.checking.shown import explained, table
from pipelines.options.flags import JobParser, duration, job_parser, whole_number
from pipelines.options.input_files import named_files, with_date
from pipelines.options.known_values import read_vocabulary
from pipelines.options.manifests import add_manifest_flag, read_manifests
from pipelines.running.command import run_job
from schemas.errors import ExitCode, InvalidOptions, UnusableInput
from transforms.core import storage
from transforms.core.protecting.places.geo_file import default_geo_database


def _parser() -> JobParser:
    parser = job_parser(
        "check",
        "Say what would become of each event of an input, by the code of the jobs. Nothing is written, and no key ring "
        "is needed. Exits with 3 where an event would be quarantined or is outside the contract, or where nothing "
        "would land.",
    )
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="The same as --input FILE, as pre-commit hooks are given their files.")
    add("--input", action="append", default=[], metavar="PATH",
        help="File, folder or glob of raw records, as of pipelines.batch; repeatable.")  # fmt: skip
    add("--explain", metavar="LINE",
        help="Tell everything about one line, or record of a container: its number, or FILE:NUMBER where there are "
        "several files.")  # fmt: skip
    add("--format", choices=("text", "json"), default="text", help="json: one object a line. Default: text.")
    add("--examples", type=whole_number(1, 1000), default=5, metavar="N",
        help="Of a large input, so many events of each kind are shown. Default: 5.")  # fmt: skip
    add("--max_events", type=whole_number(1, 10**8), default=100_000, metavar="N",
        help="Read no more; each takes about 4 KB of memory. Default: 100000.")  # fmt: skip
    add("--known_values", metavar="FILE", help="As of pipelines.batch.")
    add_manifest_flag(add)
    add("--strict", action="store_true",
        help="Exit with 3 also where an event has members that its manifest does not declare.")  # fmt: skip
    add("--lookback", type=duration, default=duration("24h"), metavar="TIME", help="As of pipelines.batch.")
    add("--suggestion_horizon", type=duration, default=duration("30min"), metavar="TIME", help="As of pipelines.batch.")
    return parser


def check(args: Any) -> Checked:
    """The check that flags ask for; raises InvalidOptions, NothingToRead, StorageUnavailable."""
    inputs = [*args.input, *args.files]
    if not inputs:
        raise InvalidOptions("the following arguments are required: --input")
    files = storage.each_once(named_files(with_date(inputs, None)))
    settings = CheckSettings(
        lookback=args.lookback,
        horizon=args.suggestion_horizon,
        geo_database=default_geo_database(),
        vocabulary=read_vocabulary(args.known_values),
        manifests=read_manifests(args.telemetry_manifest),
        examples=float("inf") if args.format == "json" and not args.explain else args.examples,
        most_events=args.max_events,
        explained=_explained([file.path for file in files], args.explain),
    )
    return examine(files, settings)


def _explained(paths: list[str], given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    name, _, number = given.rpartition(":")
    found = [path for path in paths if not name or path == name or path.endswith(f"/{name}")]
    if not (number.isascii() and number.isdigit()) or len(found) != 1:
        raise InvalidOptions(
            f"--explain {given}: allowed is the number of a line, or FILE:NUMBER with one of the {len(paths)} files "
            "of the input"
        )
    return found[0], int(number)


def exit_code(checked: Checked, *, is_strict: bool = False) -> ExitCode:
    """UNUSABLE_INPUT where an event is quarantined or outside the contract, or where none lands.

    `is_strict`: also where a declared event has members that are not declared.
    """
    books = checked.published.books
    is_refused = bool(books.quarantined or books.outside_contract)
    is_refused |= is_strict and any(fate.is_declared and fate.unread for fate in checked.fates)
    return ExitCode.UNUSABLE_INPUT if is_refused or not books.landed else ExitCode.DONE


def _of_line(checked: Checked, given: str) -> list[Fate]:
    number = int(given.rpartition(":")[2])
    found = [fate for fate in checked.fates if fate.place.number == number and fate.place.file.endswith(_file(given))]
    if not found:
        raise InvalidOptions(f"--explain {given}: no event stands there; blank lines are none")
    return found


def _file(given: str) -> str:
    return given.rpartition(":")[0]


def main(argv: Sequence[str]) -> None:
    """The command; raises UnusableInput as `exit_code` says."""
    args = _parser().parse_args(list(argv))
    checked = check(args)
    fates = _of_line(checked, args.explain) if args.explain else checked.fates
    code = exit_code(checked, is_strict=args.strict)
    if args.format == "json":
        lines = lines_of(checked, fates, code)
    else:
        lines = (line for fate in fates for line in explained(fate)) if args.explain else table(checked, args.examples)
    for line in lines:
        print(line)
    if code and not args.explain:
        books = checked.published.books
        raise UnusableInput(
            f"of {books.events} events {books.quarantined.total()} would be quarantined, "
            f"{books.outside_contract.total()} are outside the contract, {books.landed} would land"
        )


if __name__ == "__main__":
    run_job(main)
