"""Verify an output offline: its signed manifests, every file, and the books.

python -m pipelines.verify --datasets datasets/ --public_key signing.pub --witness seen.json
"""

import argparse
import sys
from collections.abc import Sequence

from pipelines.options.flags import JobParser, job_parser, share
from pipelines.running.command import run_job
from pipelines.running.summary import describe, unjoined_warning
from pipelines.verifying.beside import half_written_line, is_half_written
from pipelines.verifying.books import BooksFound, signed_books, unsigned_books
from pipelines.verifying.keys import chosen_key
from pipelines.verifying.signed import Asked, Verified, verify_signed
from pipelines.verifying.unsigned import unreadable
from pipelines.verifying.witness import Witness, head_of, read_witness, write_witness
from schemas.errors import InvalidOptions, UnbalancedBooks
from transforms.core import storage
from transforms.core.chains.chain_files import place_of
from transforms.core.output.continuity import lost_messages
from transforms.core.output.layout import Output
from transforms.core.output.ledger import expired_rows, removed_rows, total
from transforms.core.output.output_facts import doubts_of
from transforms.core.output.replayed import replayed_reasons
from transforms.core.output.unfinished import how_to_finish, read_unfinished


def _parser() -> JobParser:
    parser = job_parser(
        "verify",
        "Verify an output with the public key alone: the chain of signed manifests, the digest of every file, files "
        "that are missing or that nobody put there, and the books. Prints every place where something is not as it "
        "must be, and then exits with 5. docs/verification.md says what is found, and what only a witness finds.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the jobs.")
    parser.add_argument("--public_key", metavar="FILE",
                        help="The newest public key of the ring's signatures, kept apart from the output. It leads to "
                        "those that were retired. Default: that of --witness, else the one in the output, which proves "
                        "only that nothing was altered by somebody who could not replace it.")  # fmt: skip
    parser.add_argument("--witness", metavar="FILE",
                        help="File outside of the output in which the last manifest is remembered when all is well: "
                        "finds an output that was rolled back as a whole. Made where it is not there.")  # fmt: skip
    parser.add_argument("--expect", type=head_of, metavar="NUMBER:DIGEST",
                        help="A manifest that must be in the chain, as an earlier verify has printed it.")  # fmt: skip
    parser.add_argument("--only_manifests", action="store_true",
                        help="Do not read files: signatures, the chain, and presence and sizes alone.")  # fmt: skip
    parser.add_argument("--while_running", action="store_true",
                        help="A job may be writing: what it has not signed yet is a warning, as long as its claim is "
                        "there. Default: it is a problem like any other file that no manifest names.")  # fmt: skip
    parser.add_argument("--max_unjoined", type=share, default=share("1%"), metavar="SHARE",
                        help="Warn where more of the displays, outcomes and checks belong to no suggestion. "
                        "Default: 1%%.")  # fmt: skip
    return parser


def main(argv: Sequence[str]) -> None:
    """The command; raises UnbalancedBooks after printing every place that is not as it must be."""
    args = _parser().parse_args(list(argv))
    output: Output = args.datasets
    witness = read_witness(args.witness, output)
    entries = [*storage.whole_tree(output.path)]
    is_signed = any(place_of(entry.path) for entry in entries)
    if is_signed or args.public_key or witness or args.expect:
        _verify_signed(args, output, witness, entries)
    else:
        _verify_unsigned(args, output, entries)


def _verify_signed(
    args: argparse.Namespace, output: Output, witness: Witness | None, entries: list[storage.Entry]
) -> None:
    key, line = chosen_key(output, args.public_key, witness)
    print(line, file=sys.stderr)
    asked = Asked(key, witness, args.expect, args.only_manifests, args.while_running)
    found = verify_signed(output, entries, asked)
    looks = found.is_readable and not args.only_manifests
    _warn(found.warnings if looks else [*found.warnings, *found.lists, *found.unsigned_inputs])
    books = None
    if looks:
        books = signed_books(output, found.expected.files, found.compared.sound)
        found.problems += books.problems
    elif found.problems:
        found.warnings.append("the books were not looked at: what they are read with is not as it must be")
    _end_with(output, found.problems)
    _tell_signed(found, args.only_manifests)
    if books:
        _tell_books(args, output, books)
    if args.witness:
        write_witness(args.witness, found.chains, key)


def _verify_unsigned(args: argparse.Namespace, output: Output, entries: list[storage.Entry]) -> None:
    problems = unreadable(entries)
    books = BooksFound()
    if not problems:
        if (unfinished := read_unfinished(output)) is not None:
            _warn([how_to_finish(output, unfinished)])
        books = unsigned_books(output)
        problems = books.problems
    if not books.marks and not problems:
        raise InvalidOptions(f"--datasets {output}: no ledger there")
    _warn([half_written_line(entry.path) for entry in entries if is_half_written(entry.path)])
    _warn(["this output is not signed: rows that were altered, and days that were taken away, are not found"])
    _end_with(output, problems)
    _tell_books(args, output, books)


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


def _end_with(output: Output, problems: Sequence[str]) -> None:
    """Raises UnbalancedBooks where there are any."""
    for problem in problems:
        print(problem)
    if problems:
        raise UnbalancedBooks(f"{len(problems)} places in {output} do not balance or are not as they were signed")


def _tell_signed(found: Verified, only_manifests: bool) -> None:
    files = len(found.expected.files)
    size_bytes = sum(file.size_bytes for file in found.expected.files.values())
    how = "present, of the size that was signed" if only_manifests else "as they were signed"
    print(f"{files:,} files of {size_bytes / 1e6:,.1f} MB are {how}")
    for chain in found.chains.values():
        print(f"chain {chain.name}: {len(chain.manifests):,} manifests, the last one {chain.head}")
        for link in reversed(chain.links):
            print(link.told)
    if found.lists and not only_manifests:
        print(f"{len(found.lists):,} inputs whose run was cut off were read by other runs since")
    if found.unsigned_records:
        print(f"{found.unsigned_records:,} records of runs that were refused are signed by nobody: they had no key")


def _tell_books(args: argparse.Namespace, output: Output, found: BooksFound) -> None:
    books = total(found.marks)
    print(describe(books))
    if warning := unjoined_warning(books, args.max_unjoined):
        print(warning, file=sys.stderr)
    if gone := expired_rows(output, found.marks):
        print(f"{gone:,} of the rows are past their retention and not in the files any more")
    if removed := removed_rows(found.marks):
        print(f"{removed:,} rows were taken out after they had landed: their people were erased, or withdrew consent")
    if replayed := replayed_reasons(output):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in replayed.most_common())
        print(f"{replayed.total():,} payloads of quarantine were replayed ({reasons})")
    for doubt in doubts_of(output):
        print(doubt)
    if lost := lost_messages(found.marks):
        print(f"{lost:,} messages of topics were lost to retention, as was declared with --start earliest_left")


if __name__ == "__main__":
    run_job(main)
