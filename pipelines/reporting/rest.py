"""Rows of too few people stand together, and never so that the total tells the others from them.

Beside a total, one row that is hidden is as good as told: it is what the others leave over. So what stands together is
of enough people itself, and takes in the smallest row beside it until it is.
"""

from collections.abc import Mapping
from typing import TypeVar

import duckdb

Key = TypeVar("Key")


def rest_of(people: Mapping[Key, set[str]], enough: int) -> set[Key]:
    """The rows that stand together: all of fewer people than `enough`, and of the others, from the smallest on, as many
    as it takes for them to be of enough people together; all rows, where there are not so many.
    """
    rest = {key for key, who in people.items() if len(who) < enough}
    together = {person for key in rest for person in people[key]}
    beside = sorted(people.keys() - rest, key=lambda key: (len(people[key]), repr(key)), reverse=True)
    while rest and len(together) < enough and beside:
        rest.add(beside[-1])
        together |= people[beside.pop()]
    return rest


def people_by(
    connection: duckdb.DuckDBPyConnection, columns: str, table: str
) -> dict[tuple[str | None, ...], set[str]]:
    """The installations of each combination of values of these columns."""
    rows = connection.sql(f"select {columns}, list(distinct installation_id) from {table} group by all").fetchall()
    return {row[:-1]: {*row[-1]} - {None} for row in rows}
