"""Read code with a role's private key.

python -m pipelines.snippets --datasets datasets/ --private_key keys/private/completions.json --to code.jsonl
"""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.options.flags import JobParser, add_date, job_parser
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions, KeyUnavailable
from schemas.registry import load
from transforms.core import storage
from transforms.core.keys.private_keys import PrivateKeys, load_private
from transforms.core.keys.role_encryption import columns_by_role, decryption_properties
from transforms.core.output.layout import Output
from transforms.core.storage.secret_files import readable_by_others

_SNIPPETS = "snippets"


def _parser() -> JobParser:
    parser = job_parser("snippets", "Read code with a role's private key: the plain columns and the role's own.")
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument("--private_key", required=True, metavar="FILE", help="A role's key file made by keys create.")
    add_date(parser)
    parser.add_argument("--language", action="append", metavar="ID", help="Only this language; repeatable.")
    parser.add_argument("--to", default="-", metavar="FILE",
                        help=".parquet or .jsonl; - is JSON lines on the screen. Code is in clear there; only you may "
                             "read the file.")  # fmt: skip
    return parser


def readable_columns(role: str) -> list[str]:
    """The plain columns of snippets and those of the role; raises KeyUnavailable for a role without any."""
    by_role = columns_by_role(load(_SNIPPETS))
    if role not in by_role:
        raise KeyUnavailable(f"role {role} may read no code; roles that may: {', '.join(sorted(by_role))}")
    return [f.name for f in load(_SNIPPETS).fields if f.role in (None, role)]


def read_snippets(
    datasets: Output, keys: PrivateKeys, days: Sequence[date] | None, languages: Sequence[str] | None
) -> Iterator[pa.Table]:
    """Tables of rows by day, the role's columns decrypted; raises KeyUnavailable where the key does not open them."""
    columns = readable_columns(keys.role)
    listing = datasets.listing()
    wanted = [day for day in listing.days(_SNIPPETS) if not days or day in days]
    for file in listing.files(_SNIPPETS, days=wanted):
        table = _read_file(file.path, keys, columns)
        if languages:
            table = table.filter(pc.is_in(table["language"], pa.array(languages, pa.string())))
        yield table.append_column("received_date", pa.repeat(pa.scalar(file.day), table.num_rows))


def _read_file(path: str, keys: PrivateKeys, columns: list[str]) -> pa.Table:
    properties = decryption_properties(keys)
    try:
        reader = pq.ParquetFile(io.BytesIO(storage.read_bytes(path)), decryption_properties=properties)
        # not read(): asked for 23 columns or more, pyarrow 25 unwraps the keys of all columns
        return pa.Table.from_batches(reader.iter_batches(columns=columns), _schema_of(reader, columns))
    except (PermissionError, OSError) as cause:
        detail = str(cause) if isinstance(cause, PermissionError) else "the file does not open with it"
        raise KeyUnavailable(f"{path}: {detail}") from None


def _schema_of(reader: pq.ParquetFile, columns: list[str]) -> pa.Schema:
    return pa.schema([reader.schema_arrow.field(name) for name in columns])


def _write(tables: Iterator[pa.Table], target: str) -> int:
    if target.endswith(".parquet"):
        found = list(tables)
        out = io.BytesIO()
        if found:
            pq.write_table(pa.concat_tables(found), out, compression="zstd")
            storage.write_private(target, out.getvalue())
        return sum(t.num_rows for t in found)
    count = 0
    lines: list[str] = []
    for table in tables:
        count += table.num_rows
        lines += [json.dumps(row, default=str, ensure_ascii=False) for row in table.to_pylist()]
    text = "".join(f"{line}\n" for line in lines)
    if target == "-":
        sys.stdout.write(text)
    else:
        storage.write_private(target, text.encode("utf-8", "surrogatepass"))
    return count


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    if args.to != "-" and not args.to.endswith((".parquet", ".jsonl")):
        raise InvalidOptions(f"--to {args.to}: allowed are a .parquet file, a .jsonl file and -")
    if not args.datasets.listing().days(_SNIPPETS):
        raise InvalidOptions(f"--datasets {args.datasets}: no snippets there")
    keys = load_private(args.private_key)
    if warning := readable_by_others(args.private_key):
        print(warning, file=sys.stderr)
    count = _write(read_snippets(args.datasets, keys, args.date, args.language), args.to)
    print(f"{count} rows", file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
