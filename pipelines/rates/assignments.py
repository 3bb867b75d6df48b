"""Who is in which arm of an experiment: said by a column of the data, or by a file."""

import argparse
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from pipelines.options.flag_files import read_at_most
from schemas.errors import InvalidOptions

FLIGHTS = "flights"
"""A column of lists: who holds the flight is in its arm."""

PROPERTIES = ("engine", "language", "extension", "extension_version", "editor", "editor_version", "os", "os_version",
              "architecture", "ui", "country", FLIGHTS)  # fmt: skip
"""Columns of events by which people can be told apart into arms."""

MOST_ARMS = 10
_ARM = re.compile(r"[\w.+/ -]{1,64}")
_PROPERTY = re.compile(r"([a-z_]+)=(.*)")
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_COLUMNS = ["installation", "arm"]
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Assignment:
    """Arms, the first one being what the others are compared with, and the shares of people that they should have.

    Either a column tells the arm of who has that value, or `people` tells it by person: each person is known by one
    pseudonym or, where raw identifiers were given, by one for each month.
    """

    source: str
    arms: tuple[str, ...]
    shares: tuple[float, ...]
    column: str | None = None
    people: Mapping[str, tuple[int, str]] = field(default_factory=dict, repr=False)


def add_arms(parser: argparse.ArgumentParser) -> None:
    """The flags of commands that compare arms."""
    add = parser.add_argument
    add("--arms", metavar="PROPERTY=A,B|FILE",
        help="Compare arms of an experiment: by a column, as in engine=gpt-41-copilot,gpt-5-mini; by who holds which "
        "flight, as in flights=old-model,new-model; or by a CSV file with the columns installation and arm. The first "
        "arm is the one that others are compared with.")  # fmt: skip
    add("--arm_shares", metavar="N,N",
        help="How many people each arm should have, as in 50,50 or 90,10. Default: equally many.")  # fmt: skip
    add("--arm_ids_by", metavar="KEY_RING",
        help="The file of --arms holds raw installation ids: make their pseudonyms with this key ring, of every month. "
        "Without it the file holds pseudonyms, as in the column installation_id.")  # fmt: skip


def assignment_of(arms: str | None, shares: str | None, key_ring: str | None) -> Assignment | None:
    """What the flags of `add_arms` say; None where no arms are asked for.

    Raises InvalidOptions on what is not allowed, StorageUnavailable where a file cannot be read, KeyUnavailable.
    """
    if arms is None:
        if shares or key_ring:
            raise InvalidOptions("--arm_shares and --arm_ids_by go with --arms")
        return None
    if by_column := _PROPERTY.fullmatch(arms):
        if key_ring:
            raise InvalidOptions("--arm_ids_by goes with a file of --arms")
        return _of_column(by_column[1], by_column[2].split(","), shares)
    return _of_file(arms, shares, key_ring)


def _of_column(column: str, arms: Sequence[str], shares: str | None) -> Assignment:
    if column not in PROPERTIES:
        raise InvalidOptions(f"--arms {column}=...: allowed are {', '.join(PROPERTIES)}, or a file")
    return Assignment(column, _checked(arms), _shares(shares, len(arms)), column)


def _of_file(path: str, shares: str | None, key_ring: str | None) -> Assignment:
    data = read_at_most("--arms", path, _MOST_BYTES)
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as cause:
        raise InvalidOptions(f"--arms {path}: {type(cause).__name__}; allowed is CSV in UTF-8") from None
    if not rows or rows[0] != _COLUMNS:
        raise InvalidOptions(f"--arms {path}: the first line must be {','.join(_COLUMNS)}")
    given = _arms_by_id(path, rows[1:])
    arms = _checked(tuple(dict.fromkeys(given.values())))
    return Assignment(path, arms, _shares(shares, len(arms)), people=_people(path, given, key_ring))


def _arms_by_id(path: str, rows: Sequence[Sequence[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        if len(row) != len(_COLUMNS) or not row[0]:
            raise InvalidOptions(
                f"--arms {path}, line {number}: {len(row)} values; allowed are {' and '.join(_COLUMNS)}"
            )
        if found.setdefault(row[0], row[1]) != row[1]:
            raise InvalidOptions(f"--arms {path}, line {number}: its installation has another arm in an earlier line")
    return found


def _people(path: str, given: Mapping[str, str], key_ring: str | None) -> dict[str, tuple[int, str]]:
    """Pseudonym -> a number for the person, and the arm."""
    if key_ring is None:
        strange = next((n for n, name in enumerate(given, 2) if not _PSEUDONYM.fullmatch(name)), None)
        if strange:
            raise InvalidOptions(
                f"--arms {path}, line {strange}: no pseudonym, which is 32 hex digits; for raw ids give --arm_ids_by"
            )
        return {name: (number, arm) for number, (name, arm) in enumerate(given.items())}
    from transforms.core.keys.open_ring import open_pseudonyms  # noqa: PLC0415 - without raw ids no key is needed
    from transforms.core.keys.pseudonyms import Pseudonymizer  # noqa: PLC0415

    months = [Pseudonymizer(keys["installation"]) for keys in open_pseudonyms(key_ring).person_keys.values()]
    return {month.of(name).hex(): (number, arm) for number, (name, arm) in enumerate(given.items()) for month in months}


def _checked(arms: Sequence[str]) -> tuple[str, ...]:
    if not 2 <= len(arms) <= MOST_ARMS or len({*arms}) != len(arms):
        raise InvalidOptions(f"--arms: {len({*arms})} arms; allowed are 2 to {MOST_ARMS}, each once")
    strange = next((n for n, arm in enumerate(arms, 1) if not _ARM.fullmatch(arm)), None)
    if strange:
        raise InvalidOptions(f"--arms: the name of arm {strange} has {len(arms[strange - 1])} characters or signs that "
                             "are not allowed; allowed are 1 to 64 letters, digits, space and _ . + / -")  # fmt: skip
    return tuple(arms)


def _shares(text: str | None, arms: int) -> tuple[float, ...]:
    if text is None:
        return (1.0,) * arms
    parts = text.split(",")
    if len(parts) != arms or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise InvalidOptions(f"--arm_shares {text}: allowed are {arms} whole numbers above 0, as in 50,50")
    return tuple(float(part) for part in parts)


def assign(connection: duckdb.DuckDBPyConnection, assignment: Assignment) -> int:
    """Makes the table `arms` (installation_id, person, arm); gives how many people were in several and are in none.

    Raises InvalidOptions where no file of these days has the column.
    """
    if assignment.column is None:
        people = assignment.people
        table = pa.table({
            "installation_id": pa.array([*people], pa.string()),
            "person": pa.array([str(number) for number, _ in people.values()], pa.string()),
            "arm": pa.array([arm for _, arm in people.values()], pa.string()),
        })  # fmt: skip
        connection.register("assigned", table)
        connection.execute("create or replace temp table arms as select * from assigned")
        return 0
    arm = "unnest(string_split(flights, ';'))" if assignment.column == FLIGHTS else assignment.column
    seen = " union ".join(
        f"select installation_id, {arm} as arm from {dataset} where installation_id is not null"
        for dataset in ("requests", "displays", "outcomes", "suggestions")
        if assignment.column in connection.sql(f"select * from {dataset} limit 0").columns
    )
    if not seen:
        raise InvalidOptions(f"--arms {assignment.column}=...: these days were written before there was such a column")
    connection.execute(f"create or replace temp table seen as select * from ({seen}) where arm = any(?)",
                       [list(assignment.arms)])  # fmt: skip
    connection.execute("""
        create or replace temp table arms as select installation_id, installation_id as person, any_value(arm) as arm
        from seen group by installation_id having count(*) = 1
    """)
    several = "select count(*) from (select installation_id from seen group by 1 having count(*) > 1)"
    return int(connection.sql(several).fetchall()[0][0])
