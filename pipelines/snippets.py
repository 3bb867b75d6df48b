"""Read code with a role's private key.

python -m pipelines.snippets --datasets datasets/ --private_key keys/private/completions.json \
  --purpose "why the model repeats itself" --to code.jsonl
"""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.options.audit_flags import add_audit_flags, trail_of
from pipelines.options.flags import JobParser, add_date, job_parser
from pipelines.options.wrapping import add_wrapping_key_flag
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.audit.reading import Reading
from transforms.core.audit.trail import append
from transforms.core.keys.private_keys import PrivateKeys, load_private
from transforms.core.output.code_columns import SNIPPETS, read_code, readable_columns
from transforms.core.output.layout import Output
from transforms.core.storage.secret_files import readable_by_others


def _parser() -> JobParser:
    parser = job_parser(
        "snippets",
        "Read code with a role's private key: the plain columns and the role's own. Before "
        "any is handed out, a line about this reading is written to the audit trail.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument(
        "--private_key", required=True, metavar="FILE", help="A reader's key file, made by keys create or add_reader."
    )
    add_wrapping_key_flag(parser.add_argument)
    add_date(parser)
    parser.add_argument("--language", action="append", metavar="ID", help="Only this language; repeatable.")
    parser.add_argument("--to", default="-", metavar="FILE",
                        help=".parquet or .jsonl; - is JSON lines on the screen. Code is in clear there; only you may "
                             "read the file.")  # fmt: skip
    add_audit_flags(parser)
    return parser


def read_snippets(
    datasets: Output, keys: PrivateKeys, days: Sequence[date] | None, languages: Sequence[str] | None
) -> Iterator[pa.Table]:
    """Tables of rows by day, the role's columns decrypted; raises KeyUnavailable where the key does not open them."""
    columns = readable_columns(keys.role)
    listing = datasets.listing()
    wanted = [day for day in listing.days(SNIPPETS) if not days or day in days]
    for file in listing.files(SNIPPETS, days=wanted):
        table = read_code(file, keys, columns)
        if languages:
            table = table.filter(pc.is_in(table["language"], pa.array(languages, pa.string())))
        yield table.append_column("received_date", pa.repeat(pa.scalar(file.day), table.num_rows))


def reading_of(keys: PrivateKeys, tables: Sequence[pa.Table], purpose: str) -> Reading:
    """What the trail says of these tables of `read_snippets`, all of which are handed out."""
    days = {day for table in tables for day in pc.unique(table["received_date"]).to_pylist()}
    return Reading(
        who=keys.reader,
        role=keys.role,
        action="read code",
        dataset=SNIPPETS,
        days=tuple(sorted(days)),
        rows=sum(table.num_rows for table in tables),
        purpose=purpose,
    )


def _write(tables: Sequence[pa.Table], target: str) -> None:
    if target.endswith(".parquet"):
        out = io.BytesIO()
        if tables:
            pq.write_table(pa.concat_tables(tables), out, compression="zstd")
            storage.write_private(target, out.getvalue())
        return
    rows = (row for table in tables for row in table.to_pylist())
    text = "".join(f"{json.dumps(row, default=str, ensure_ascii=False)}\n" for row in rows)
    if target == "-":
        sys.stdout.write(text)
    else:
        storage.write_private(target, text.encode("utf-8", "surrogatepass"))


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    if args.to != "-" and not args.to.endswith((".parquet", ".jsonl")):
        raise InvalidOptions(f"--to {args.to}: allowed are a .parquet file, a .jsonl file and -")
    if not args.datasets.listing().days(SNIPPETS):
        raise InvalidOptions(f"--datasets {args.datasets}: no snippets there")
    keys = load_private(args.private_key)
    if warning := readable_by_others(args.private_key):
        print(warning, file=sys.stderr)
    tables = list(read_snippets(args.datasets, keys, args.date, args.language))
    reading = reading_of(keys, tables, args.purpose)
    append(trail_of(args.datasets, args.audit_log), reading)
    _write(tables, args.to)
    print(f"{reading.rows} rows", file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
