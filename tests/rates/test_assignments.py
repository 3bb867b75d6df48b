"""Who is in which arm: what flags and files may say, and that nobody is in two."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.rates.assignments import MOST_ARMS, assign, assignment_of
from pipelines.rates.tables import opened
from schemas.errors import InvalidOptions, StorageUnavailable
from tests.conftest import KEY_RING, read_rows, run_batch, sample, write_lines
from transforms.core.keys.open_ring import open_pseudonyms
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.layout import Output

ONE, OTHER = "0" * 32, "1" * 32


def test_no_arms_are_asked_for() -> None:
    assert assignment_of(None, None, None) is None
    for shares, ring in (("1,1", None), (None, "keys")):
        with pytest.raises(InvalidOptions, match="go with --arms"):
            assignment_of(None, shares, ring)


@pytest.mark.parametrize(("arms", "shares", "told"), [
    ("colour=a,b", None, "--arms colour=...: allowed are engine"),
    ("engine=a", None, "1 arms; allowed are 2 to 10"),
    ("engine=a,a", None, "1 arms"),
    (f"engine={','.join(map(str, range(MOST_ARMS + 1)))}", None, "11 arms"),
    ("engine=a,", None, "the name of arm 2 has 0 characters"),
    ("engine=a,b';drop", None, "the name of arm 2 has 7 characters"),
    ("engine=a,b", "1", "--arm_shares 1: allowed are 2 whole numbers"),
    ("engine=a,b", "50,0", "--arm_shares 50,0"),
    ("engine=a,b", "50,\N{SUPERSCRIPT TWO}", "--arm_shares"),
])  # fmt: skip
def test_what_is_refused(arms: str, shares: str | None, told: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        assignment_of(arms, shares, None)
    assert told in str(refused.value)


def test_a_column_needs_no_key_ring() -> None:
    with pytest.raises(InvalidOptions, match="--arm_ids_by goes with a file"):
        assignment_of("engine=a,b", None, "keys")


@pytest.mark.parametrize(("text", "told"), [
    (b"", "the first line must be installation,arm"),
    (b"id,arm\n", "the first line"),
    (f"installation,arm\n{ONE},a\n{ONE},b\n".encode(), "line 3: its installation has another arm"),
    (f"installation,arm\n{ONE},a\n{OTHER}\n".encode(), "line 3: 1 values"),
    (f"installation,arm\n{ONE},a\n{OTHER},a\n".encode(), "1 arms"),
    (b"installation,arm\nsecret-machine,a\nother,b\n", "line 2: no pseudonym"),
    (b"\xff\xfe", "UnicodeDecodeError"),
])  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "arms.csv").write_bytes(text)
    with pytest.raises(InvalidOptions) as refused:
        assignment_of(f"{tmp_path}/arms.csv", None, None)
    assert told in str(refused.value)
    assert "secret-machine" not in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        assignment_of(f"{tmp_path}/arms.csv", None, None)


def test_raw_ids_become_one_person_with_a_pseudonym_for_each_month(tmp_path: Path) -> None:
    (tmp_path / "arms.csv").write_text("installation,arm\nmachine-a,x\nmachine-b,y\n")
    made = assignment_of(f"{tmp_path}/arms.csv", "1,3", str(KEY_RING))
    assert made is not None
    keys = open_pseudonyms(str(KEY_RING)).person_keys
    expected = {
        Pseudonymizer(month["installation"]).of(name).hex(): (number, arm)
        for number, (name, arm) in enumerate((("machine-a", "x"), ("machine-b", "y")))
        for month in keys.values()
    }
    assert made.people == expected
    assert len(made.people) == 2 * len(keys)
    assert made.arms == ("x", "y")
    assert made.shares == (1, 3)
    assert "machine-a" not in repr(made)


def test_who_is_seen_with_two_values_is_in_no_arm() -> None:
    assignment = assignment_of("engine=a,b", None, None)
    assert assignment is not None
    rows = [("p1", "a"), ("p1", "a"), ("p2", "b"), ("p3", "a"), ("p3", "b"), ("p4", "c"), ("p5", None), ("p5", "b")]
    with opened(Output("/nonexistent")) as connection:
        table = pa.table({"installation_id": [who for who, _ in rows], "engine": [engine for _, engine in rows]})
        connection.register("drawn", table)
        connection.execute("create or replace temp view requests as select * from drawn")
        assert assign(connection, assignment) == 1
        found = connection.sql("select installation_id, person, arm from arms order by 1").fetchall()
    assert found == [("p1", "p1", "a"), ("p2", "p2", "b"), ("p5", "p5", "b")]


@pytest.fixture(scope="module")
def flights_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people: one holds a, one b, one both, and one a flight that nobody named."""
    place = tmp_path_factory.mktemp("flights")
    lines = []
    for n, listed in enumerate(("a:1;x:2", "x:2;b:3", "a:1;b:3", "x:2")):
        event = sample("displays/pass/ghostText.shown")
        ids = {"client_machineid": f"machine-{n}", "unique_id": f"event-{n}", "clientCompletionId": f"completion-{n}"}
        event["data"]["baseData"]["properties"] |= ids | {"abexp.assignmentcontext": listed}
        lines.append(event)
    (place / "known.toml").write_text('flights = ["a", "b"]\n')
    raw = write_lines(place / "raw.ndjson", lines)
    run_batch(raw, place / "out", f"--known_values={place}/known.toml", "--close_open_suggestions")
    run_batch(raw, place / "unnamed", "--close_open_suggestions")
    return place


def test_who_holds_a_flight_is_in_its_arm(flights_day: Path) -> None:
    made = assignment_of("flights=a,b", None, None)
    assert made is not None
    with opened(Output(f"{flights_day}/out")) as connection:
        assert assign(connection, made) == 1  # holds both
        found = connection.sql("select arm, count(*) from arms group by all order by all").fetchall()
    assert found == [("a", 1), ("b", 1)]
    assert {r["flights"] for r in read_rows(flights_day / "out", "displays")} == {"a", "b", "a;b", None}
    assert {r["flights"] for r in read_rows(flights_day / "out", "suggestions")} == {"a", "b", "a;b", None}


def test_without_named_flights_nobody_is_in_an_arm(flights_day: Path) -> None:
    made = assignment_of("flights=a,b", None, None)
    assert made is not None
    with opened(Output(f"{flights_day}/unnamed")) as connection:
        assert assign(connection, made) == 0
        assert connection.sql("select * from arms").fetchall() == []


def test_days_without_such_a_column(flights_day: Path) -> None:
    made = assignment_of("flights=a,b", None, None)
    assert made is not None
    with opened(Output(f"{flights_day}/out")) as connection:
        for dataset in ("requests", "displays", "outcomes", "suggestions"):
            connection.execute(f"create or replace temp view {dataset} as select null::varchar as installation_id")
        with pytest.raises(InvalidOptions, match="written before there was such a column"):
            assign(connection, made)
