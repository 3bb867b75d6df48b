"""Whatever byte of whatever file of a signed output is another one, verify finds it, and names the file."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.verifying.signed import Asked, verify_signed
from tests.support.signed_outputs import make_signed_output, write_public_key
from transforms.core import storage
from transforms.core.keys.public_key import read_public_key
from transforms.core.output.layout import Output


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make_signed_output(folder)
    _add_a_record(folder / "out")
    write_public_key(folder / "signing.pub")
    return folder


def _add_a_record(output: Path) -> None:
    from pipelines.recording.record import new_record
    from schemas.errors import ExitCode
    from tests.conftest import KEY_RING
    from transforms.core.keys.open_ring import open_signer

    record = new_record("batch", ["raw/"], None, "DirectRunner")
    record.end(ExitCode.DONE, None)
    signer = open_signer(KEY_RING)
    assert signer
    record.save(Output(str(output)), signer.sign)


def problems(folder: Path) -> list[str]:
    output = Output(str(folder / "out"))
    asked = Asked(read_public_key(str(folder / "signing.pub")))
    return verify_signed(output, [*storage.whole_tree(output.path)], asked).problems


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_byte_that_is_another_one_is_found(whole: Path, data: st.DataObject) -> None:
    assert problems(whole) == []
    paths = sorted(path for path in (whole / "out").rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    position, change = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(1, 255))
    path.write_bytes(before[:position] + bytes([before[position] ^ change]) + before[position + 1 :])
    try:
        found = problems(whole)
        assert any(path.name in line for line in found), (path, found)
    finally:
        path.write_bytes(before)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_that_is_gone_moved_or_added_is_found(whole: Path, data: st.DataObject) -> None:
    work = whole / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    shutil.copytree(whole / "out", work / "out")
    shutil.copy(whole / "signing.pub", work)
    never_removed = ("_signing.pub", "runs/0")  # the key is given, and records of runs are signed one by one
    paths = [p for p in sorted((work / "out").rglob("*")) if p.is_file()]
    paths = [p for p in paths if not str(p.relative_to(work / "out")).startswith(never_removed)]
    path = data.draw(st.sampled_from(paths[:-1] if paths[-1].suffix == ".jsonl" else paths))
    last_manifest = sorted((work / "out" / "runs" / "manifests" / "output" / "000000").iterdir())[-1]
    if path == last_manifest:
        return  # an end that is cut off is found by a witness alone
    how = data.draw(st.sampled_from(["gone", "moved", "added"]))
    target = path.with_name(data.draw(st.sampled_from(["x", ".hidden", "_x.json", "a-0000of0001.parquet"])))
    if how == "gone":
        path.unlink()
    elif how == "moved":
        path.rename(target)
    else:
        shutil.copy(path, target)
    assert problems(work), (how, path)
