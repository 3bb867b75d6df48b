"""The ten questions of docs/analysis.md have the same answers in DuckDB, Spark, Polars and pandas."""

import importlib.util
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from tests.docs.test_readme import sh
from tests.support.pages import code_blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "analysis.md").read_text()
SQL = code_blocks(PAGE, "sql")
PYTHON = code_blocks(PAGE, "python")
(SNIPPETS,) = code_blocks(PAGE, "sh")
VIEWS = (ROOT / "docs" / "analysis" / "views.sql").read_text()
SPARK = ROOT / ".tools" / "spark"
QUESTIONS = (
    "acceptance_by_language_and_week", "weekly_active_installations", "active_installations_a_day", "latency_by_country",
    "cycling", "sessions_a_day", "keys", "filters", "failing_versions", "lengths", "persistence_by_engine",
)  # fmt: skip

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight days over a month's end, landed, and the code that came with them read with a role's key."""
    folder = tmp_path_factory.mktemp("analysis")
    (folder / "docs").symlink_to(ROOT / "docs")
    for command in (
        "python -m pipelines.keys create --output demo/keys --start 2026-03 --months 3",
        "python -m pipelines.generate --output demo/generated --events 4000 --days 8 --people 40 --date 2026-04-03",
        "python -m pipelines.batch --input demo/generated/raw --output demo/datasets --key_ring demo/keys"
        " --close_open_suggestions",
        SNIPPETS,
    ):
        done = sh(command, folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def by_duckdb(place: Path) -> list[pd.DataFrame]:
    with duckdb.connect() as connection:
        connection.execute(VIEWS.replace("demo/", f"{place}/demo/"))
        connection.execute(f"create view code as from '{place}/demo/code.parquet'")
        return [connection.sql(query).df() for query in SQL]


def plain(value: object) -> Any:
    """A value as every reader can give it."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return value[:10]
    return value.item() if hasattr(value, "item") else value


def rows_of(columns: Iterable[str], rows: Iterable[dict[str, object]]) -> Rows:
    """Rows in an order that all readers agree about."""
    found = [tuple(plain(row[name]) for name in columns) for row in rows]
    return sorted(found, key=lambda row: [str(value) for value in row if not isinstance(value, float)])


def assert_same(columns: list[str], rows: Rows, expected: Rows) -> None:
    """Equal, but for what the queries round: rates to three digits, everything else to one at least."""
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        for name, value, wanted in zip(columns, row, other, strict=True):
            if isinstance(value, float) or isinstance(wanted, float):
                assert value == pytest.approx(wanted, abs=6e-4 if name.endswith("rate") else 0.051), (name, row, other)
            else:
                assert value == wanted, (name, row, other)


def functions(module: ModuleType) -> list[Callable[..., Any]]:
    found = [getattr(module, name) for name in QUESTIONS]
    assert len(found) == len(SQL)
    return found


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "analysis" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("number", range(len(SQL)), ids=QUESTIONS)
def test_every_question_has_an_answer(number: int, by_duckdb: list[pd.DataFrame]) -> None:
    answer = by_duckdb[number]
    assert len(answer) > 0
    assert not answer.isna().all().any(), "a column of nulls answers nothing"


def answered(module: str, number: int, read: Callable[[str], Any], place: Path) -> Any:
    """What a module's function says to a question, of datasets that `read` opens."""
    ask = functions(loaded(module))[number]
    datasets = [name for name in ask.__annotations__ if name != "return"]
    paths = [f"{place}/demo/{'code.parquet' if name == 'code' else f'datasets/{name}'}" for name in datasets]
    return ask(*map(read, paths))


@pytest.mark.parametrize("number", range(len(SQL)), ids=QUESTIONS)
def test_polars_says_the_same(number: int, by_duckdb: list[pd.DataFrame], place: Path) -> None:
    answer = answered("polars_questions", number, pl.scan_parquet, place)
    check(by_duckdb[number], answer.columns, answer.to_dicts())


@pytest.mark.parametrize("number", range(len(SQL)), ids=QUESTIONS)
def test_pandas_says_the_same(number: int, by_duckdb: list[pd.DataFrame], place: Path) -> None:
    answer = answered("pandas_questions", number, pd.read_parquet, place)
    check(by_duckdb[number], answer.columns, answer.to_dict("records"))


@pytest.mark.skipif(not SPARK.is_dir() or shutil.which("javac") is None, reason="needs Spark: make tools")
def test_spark_says_the_same(by_duckdb: list[pd.DataFrame], place: Path, tmp_path: Path) -> None:
    queries = [tmp_path / f"{name}.sql" for name in QUESTIONS]
    for query, text in zip(queries, SQL, strict=True):
        query.write_text(text)
    views = [f"{name}={place}/demo/datasets/{name}" for name in ("suggestions", "requests", "redactions")]
    packages = ("java.lang", "java.nio", "java.util", "sun.nio.ch", "sun.security.action", "sun.util.calendar")
    opened = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in packages]
    done = subprocess.run(
        ["java", *opened, "-cp", f"{SPARK}/*", str(ROOT / "tests" / "docs" / "SparkQueries.java"), *views,
         f"code={place}/demo/code.parquet", *map(str, queries)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for query, expected in zip(queries, by_duckdb, strict=True):
        rows = [json.loads(line) for line in Path(f"{query}.json").read_text().splitlines()]
        check(expected, list(rows[0]), rows)


def check(expected: pd.DataFrame, columns: Iterable[str], rows: list[dict[str, object]]) -> None:
    names = list(expected.columns)
    assert sorted(columns) == sorted(names)
    assert_same(names, rows_of(names, rows), rows_of(names, expected.to_dict("records")))


def test_some_suggestions_are_found_by_cycling(by_duckdb: list[pd.DataFrame]) -> None:
    assert sorted(by_duckdb[QUESTIONS.index("cycling")]["cycling"]) == [False, True]


def test_a_week_over_a_months_end_counts_people_once_for_each_key(by_duckdb: list[pd.DataFrame]) -> None:
    weeks = by_duckdb[1]["week"].astype(str).str[:10]
    assert (weeks == "2026-03-30").sum() == 2
    assert weeks.nunique() < len(weeks)


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block[:20])
def test_opening_the_datasets(block: str, place: Path) -> None:
    done = sh(f"{sys.executable} - <<'END'\n{block}END\n", place)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d{2,}", done.stdout)
