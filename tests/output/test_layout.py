"""Names of files tell what they hold, and a listing tells what lies there, whatever else lies beside it."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.output.layout import DATA_DATASETS, LEDGER, DataFile, FileName, Output, parse_name
from transforms.core.shuffle.windows import Window

INPUTS = st.text("0123456789abcdef", min_size=1, max_size=16) | st.integers(1, 4_000_000_000).map(
    lambda end_s: Window("0123456789abcdef", end_s - 1, end_s).name
)
DAYS = [date(1970, 1, 1), date(2026, 3, 30), date(2026, 3, 31), date(9999, 12, 31)]


@given(INPUTS, st.integers(0, 99_999), st.none() | st.integers(1, 99_999))
def test_a_name_is_read_back(source: str, bucket: int, buckets: int | None) -> None:
    name = FileName(source, bucket, buckets)
    assert parse_name(str(name)) == name


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40))
def test_a_file_that_may_hold_somebody_of_a_bucket_is_found(buckets: int, others: int, slot: int) -> None:
    """A person's slot says in which bucket of any number they are."""
    name = FileName("a", slot % others, others)
    assert name.may_hold(slot % buckets, buckets)
    assert FileName("a", slot).may_hold(slot % buckets, buckets)
    slots = range(others * buckets)
    found = {b for b in range(buckets) if name.may_hold(b, buckets)}
    assert found == {s % buckets for s in slots if s % others == slot % others}
    assert name.may_hold_others(buckets) == (len(found) > 1)
    assert not FileName("a", slot).may_hold_others(buckets)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".parquet",
        "x.parquet",
        "x-1of.parquet",
        "x-of2.parquet",
        "-1of2.parquet",
        "x-.parquet",
        "x-1.parquet.half",
        "x-1",
        "acceptance.parquet",
        "x-one.parquet",
        "-",
    ],
)
def test_other_names_are_none_of_ours(name: str) -> None:
    assert parse_name(name) is None


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_none(text: str) -> None:
    name = parse_name(text)
    assert name is None or parse_name(str(name)) == name


def files_at(root: Path, files: list[tuple[str, date, FileName]]) -> Output:
    output = Output(str(root))
    for dataset, day, name in files:
        path = Path(output.file(dataset, day, name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return output


ENTRIES = st.tuples(
    st.sampled_from([*DATA_DATASETS, LEDGER]),
    st.sampled_from(DAYS),
    st.builds(FileName, INPUTS, st.integers(0, 3), st.sampled_from([None, 4, 16])),
)


@given(st.lists(ENTRIES, max_size=12))
def test_a_listing_tells_what_lies_there(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, date, FileName]]
) -> None:
    output = files_at(tmp_path_factory.mktemp("listed"), entries)
    listing = output.listing()
    for dataset in {*DATA_DATASETS, LEDGER}:
        mine = [e for e in entries if e[0] == dataset]
        assert listing.days(dataset) == sorted({day for _, day, _ in mine})
        found = list(listing.files(dataset))
        assert {(f.dataset, f.day, f.name) for f in found} == {*mine}
        assert [(f.day, str(f.name)) for f in found] == sorted((f.day, str(f.name)) for f in found)
        assert all(Path(f.path).is_file() for f in found)
    every = list(listing.files(*DATA_DATASETS, LEDGER))
    assert len(every) == len({*entries})
    for source in {name.input for _, _, name in entries}:
        expected = {e for e in entries if e[2].input == source}
        assert {f[:3] for f in listing.files(*DATA_DATASETS, LEDGER, of_input=source)} == expected
    for day in DAYS:
        expected = {e for e in entries if e[1] == day}
        assert {f[:3] for f in listing.files(*DATA_DATASETS, LEDGER, days=[day])} == expected


def test_days_from_first_to_last_both_included(tmp_path: Path) -> None:
    listing = files_at(tmp_path, [("displays", day, FileName("a", 0)) for day in DAYS]).listing()
    assert listing.days("displays", DAYS[1], DAYS[2]) == DAYS[1:3]
    assert listing.days("displays", last=DAYS[0]) == DAYS[:1]
    assert listing.days("displays", first=DAYS[3]) == DAYS[3:]
    assert listing.days("displays", date(2026, 4, 1), date(2026, 4, 2)) == []


def test_what_is_none_of_ours_is_not_listed(tmp_path: Path) -> None:
    output = files_at(tmp_path, [("displays", DAYS[1], FileName("a", 0))])
    folder = Path(output.partition("displays", DAYS[1]))
    for name in ("acceptance.parquet", ".writing-1-a-0000.parquet.half", "_SUCCESS", "a-0000.parquet.crc"):
        (folder / name).touch()
    (folder / "b-0000.parquet").mkdir()
    (tmp_path / "displays" / "notes").mkdir()
    assert [str(f.name) for f in output.listing().files("displays")] == ["a-0000.parquet"]
    assert output.listing().days("displays") == [DAYS[1]]


def test_a_folder_of_no_date_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "displays" / "received_date=2026-02-30").mkdir(parents=True)
    with pytest.raises(ValueError, match="day is out of range"):
        Output(str(tmp_path)).listing().days("displays")


def test_a_listing_stays_as_it_was_asked(tmp_path: Path) -> None:
    output = files_at(tmp_path, [("displays", DAYS[1], FileName("a", 0))])
    listing = output.listing()
    before = list(listing.files("displays"))
    files_at(tmp_path, [("displays", DAYS[1], FileName("b", 0)), ("displays", DAYS[2], FileName("b", 0))])
    assert list(listing.files("displays")) == before
    assert len(list(output.listing().files("displays"))) == 3


@pytest.mark.parametrize("path", ["out", "out/", "/data/out", "gs://bucket/prefix/", "s3://bucket"])
def test_paths_have_one_slash_between_their_parts(path: str) -> None:
    output, name = Output(path), FileName("a", 7, 16)
    root = path.rstrip("/")
    assert str(output) == path
    assert output.beside("_output.json") == f"{root}/_output.json"
    assert output.file("errors", DAYS[1], name) == f"{root}/errors/received_date=2026-03-30/a-0007of0016.parquet"
    assert DataFile("errors", DAYS[1], name, "x").name.bucket == 7
