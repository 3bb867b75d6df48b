"""--telemetry_manifest: what is not one is refused in one line before anything is written."""

import json
from pathlib import Path

import pytest

from pipelines.options.manifests import keep_manifests, read_manifests
from schemas.errors import InvalidOptions
from tests.conftest import DATA, run_batch, sample, write_lines
from transforms.core.output.layout import Output

MANIFEST = DATA / "golden" / "extension" / "telemetry.json"


def test_several_files_make_one_contract(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"events": {"other": {}}}')
    assert {*read_manifests([str(MANIFEST), str(tmp_path / "b.json")]).events} == {"lint.done", "other"}
    assert not read_manifests([])


@pytest.mark.parametrize(
    ("content", "told"), [(b"{", "not JSON"), (b"[" * 10**5, "not JSON"), (b"[]", "allowed is"), (None, "no such file")]
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "telemetry.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidOptions, match=told) as refused:
        read_manifests([str(path)])
    assert str(path) in str(refused.value)
    with pytest.raises(InvalidOptions, match=told):
        run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out", f"--telemetry_manifest={path}")
    assert not (tmp_path / "out").exists()


def test_what_was_declared_is_kept_beside_the_datasets_once(tmp_path: Path) -> None:
    manifests = read_manifests([str(MANIFEST)])
    keep_manifests(Output(str(tmp_path)), manifests)
    (path,) = (tmp_path / "_manifests").iterdir()
    assert path.name == f"{manifests.digest}.json"
    (event,) = json.loads(path.read_text())["events"]
    assert event["members"]["account"] == {
        "name": "account", "classification": "EndUserPseudonymizedInformation", "purpose": "BusinessInsight",
        "treatment": "pseudonymize:property", "is_measurement": False,
    }  # fmt: skip
    before = path.stat().st_mtime_ns
    keep_manifests(Output(str(tmp_path)), manifests)
    assert path.stat().st_mtime_ns == before
    keep_manifests(Output(str(tmp_path / "none")), read_manifests([]))
    assert not (tmp_path / "none").exists()
