"""What is hidden cannot be found by taking what is told from the total."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rates.tables import opened
from pipelines.reporting.figures import _counted, _errors, _freshness
from pipelines.reporting.rest import rest_of
from tests.rates.test_acceptance import DAYS, SCHEMAS
from transforms.core.output.layout import Output


@given(st.dictionaries(st.integers(0, 9), st.sets(st.sampled_from("abcdefgh"), max_size=8)), st.integers(1, 6))
def test_what_stands_together_is_of_enough_people_or_is_everything(people: dict[int, set[str]], enough: int) -> None:
    rest = rest_of(people, enough)
    assert all(len(people[key]) >= enough for key in people.keys() - rest)
    together = {who for key in rest for who in people[key]}
    assert not rest or len(together) >= enough or rest == {*people}
    largest = max((len(people[key]) for key in rest), default=0)
    assert all(len(people[key]) >= min(largest, enough) for key in people.keys() - rest)


def rows(*told: tuple[str, str, int]) -> pa.Table:
    """Errors: who met which, on which day."""
    found = [
        {"installation_id": who, "event_name": name, "error_type": "T", "received_date": DAYS[day],
         "received_at": datetime(2026, 3, 28 + day, 12, tzinfo=UTC), "event_id": f"{n}"}
        for n, (who, name, day) in enumerate(told)
    ]  # fmt: skip
    schema = pa.schema([pa.field(f.name, f.type) for f in SCHEMAS["errors"]]).append(
        pa.field("received_date", pa.date32())
    )
    return pa.Table.from_pylist(found, schema)


def test_one_rare_error_takes_the_next_one_with_it() -> None:
    """Beside it stand 9 rows of `errors`: without the next one, 9 - 6 - 2 would be the one person's."""
    common = [(who, "common", 0) for who in "abcabc"]
    with opened(Output("/nonexistent")) as connection:
        connection.register("errors", rows(*common, ("d", "less", 0), ("e", "less", 0), ("a", "rare", 0)))
        assert _errors(connection, 2) == [
            {"name": "common", "type": "T", "events": 6},
            {"name": "(merged)", "type": "", "events": 3},
        ]
        assert _errors(connection, 1)[0] == {"name": "common", "type": "T", "events": 6}
        assert _counted(connection, "event_name", "errors", 6) == [{"name": "(merged)", "events": 9}]


def test_a_hidden_day_takes_the_next_one_with_it() -> None:
    with opened(Output("/nonexistent")) as connection:
        days = [*[(who, "e", 0) for who in "abc"], *[(who, "e", 1) for who in "ab"], ("a", "e", 2)]
        connection.register("errors", rows(*days))
        assert [row["events"] for row in _freshness(connection, 2)] == [3, None, None]
        assert [row["events"] for row in _freshness(connection, 1)] == [3, 2, 1]
