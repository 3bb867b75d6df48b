"""What the tests share: a fixed key ring, a way to run the batch job, ways to read what it wrote."""

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from pipelines import batch
from tests.support.wheels import CleanEnvironment, build_wheel
from transforms.core.keys import keyring
from transforms.core.keys.pseudonyms import Pseudonymizer, derive_key, domain_key, enciphered, landing_key, sent_key
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.books import Books
from transforms.core.output.landing import Landing
from transforms.core.output.layout import RUNS, Output
from transforms.core.output.output_facts import LEAST_SLOTS
from transforms.core.recent.memory import BucketMemory
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion

DATA = Path(__file__).parent / "data"
KEY_RING = str(DATA / "key_ring")
PRIVATE = DATA / "key_ring" / "private"
for kept in (DATA / "key_ring").rglob("*"):  # a checkout knows no modes of keys
    kept.chmod(0o700 if kept.is_dir() else 0o600)
(DATA / "key_ring").chmod(0o700)

settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("seeded")

RunBatch = Callable[..., Books]


def pytest_unconfigure() -> None:
    """What a job froze can be collected again.

    A job calls `gc.freeze`, for speed. DuckDB's bindings (nanobind) look at exit for objects of theirs that were not
    collected, and report frozen ones as leaks: pages on stderr after the summary.
    """
    gc.unfreeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write what the job gives as what is expected.")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes by their length: gzip puts the time into them, and the two workers must name a test alike."""
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def ring() -> keyring.KeyRing:
    return keyring.load(KEY_RING)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tree as it is."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    """Tests that use it are of the group "wheel": it takes some seconds to make."""
    return CleanEnvironment(wheel, tmp_path_factory.mktemp("clean") / "venv")


def landing(first_month: str = "") -> Landing:
    """How rows land under the fixed key ring; rows of months before the first one as they are."""
    return Landing(step_keys_of(keyring.load(KEY_RING)).landing, first_month, LEAST_SLOTS)


def sent_id(ring: keyring.KeyRing, domain: str, sender: str, raw: str) -> bytes:
    """An id of a correlation domain as it is in memory: that of its sender, who is an installation's raw id or another."""
    of_senders = Pseudonymizer(domain_key(derive_key(ring.correlation, "bucket"), "installation"))
    return Pseudonymizer(sent_key(ring.correlation, domain)).of_each_data([of_senders.of(sender) + raw.encode()])[0]


def landed_id(ring: keyring.KeyRing, domain: str, sender: str, raw: str, month: str) -> str:
    """The same as it stands in files of a month."""
    plain = sent_id(ring, domain, sender, raw)
    return enciphered(landing_key(ring.epochs[month], domain), plain).hex()


def nothing_recent() -> Recent:
    """What a bucket of an empty output knows of what was published before: nothing."""
    return BucketMemory().lend(Portion("x", 0), Output("/nonexistent").listing(), landing())


def run_batch(source: Path | str | list[str], output: Path | str, *more: str) -> Books:
    inputs = source if isinstance(source, list) else [str(source)]
    flags = [f"--input={i}" for i in inputs]
    return batch.run([*flags, f"--output={output}", f"--key_ring={KEY_RING}", "--buckets=4", *more])


def plain_columns(path: Path) -> list[str]:
    """Column names that any reader may read."""
    encrypted = {"prompt_json", "prompt_suffix_json", "captured_code_json", "hypothetical_prompt_json"}
    encrypted |= {"hypothetical_prompt_suffix_json", "completion_text_json"}
    return [n for n in pq.read_schema(path).names if n not in encrypted]


def read_rows(output: Path, dataset: str) -> list[dict[str, Any]]:
    """All rows of a dataset, plain columns, with their received_date, in a fixed order."""
    rows = []
    for path in sorted(output.glob(f"{dataset}/received_date=*/*.parquet")):
        day = path.parent.name.partition("=")[2]
        for row in pq.ParquetFile(path).read(columns=plain_columns(path)).to_pylist():
            rows.append({"received_date": day, **row})
    return sorted(rows, key=lambda r: json.dumps({**r, "body": None}, default=repr, sort_keys=True))


def all_rows(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Every dataset's rows; what is fresh in each run (sealed bodies) and the run's own columns left out."""
    found = {}
    for folder in sorted(
        p.name for p in output.iterdir() if p.is_dir() and not p.name.startswith("_") and p.name != RUNS
    ):
        rows = read_rows(output, folder)
        left = [{k: _OF_THE_FILES.get(k, v) for k, v in r.items() if k not in _OF_THE_RUN} for r in rows]
        found[folder] = sorted(left, key=lambda row: json.dumps(row, default=repr, sort_keys=True))
    return found


_OF_THE_RUN = ("body", "input", "bucket", "contract", "file_digests", "file_bytes", "proof")
_OF_THE_FILES = {"range_bytes": None, "range_payloads": None}
"""Named after paths and times of files, which differ from machine to machine."""


def write_lines(path: Path, documents: list[Any]) -> Path:
    lines = [d if isinstance(d, bytes) else json.dumps(d).encode() for d in documents]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def sample(name: str = "displays/pass/ghostText.shown") -> dict[str, Any]:
    """A sample document, to be changed at will."""
    document: dict[str, Any] = json.loads((DATA / "samples" / f"{name}.json").read_text())
    return document
