"""Where pieces wait: beside the datasets or where an operator says, in no two outputs' the same folder."""

import tempfile
from pathlib import Path

import pytest

from pipelines.batch import BatchOptions
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.workers.spilling import spilling


def folder_of(*flags: str) -> str:
    with spilling(parse_pipeline_options("batch", BatchOptions, (), list(flags))) as folder:
        assert folder == "" or Path(folder).stat().st_mode & 0o777 == 0o700
        return folder


def test_beside_the_datasets(tmp_path: Path) -> None:
    assert folder_of(f"--output={tmp_path}/out") == f"{tmp_path}/out/_spill"
    assert folder_of(f"--output=file://{tmp_path}/out") == f"{tmp_path}/out/_spill"


def test_below_the_folder_that_is_given(tmp_path: Path) -> None:
    folders = [folder_of(f"--output={tmp_path}/{name}", f"--spill_folder={tmp_path}/x") for name in ("a", "b", "a")]
    assert folders[0] == folders[2] != folders[1]
    assert {Path(folder).parent for folder in folders} == {tmp_path / "x"}


def test_in_the_folder_of_temporary_files_where_the_output_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert Path(folder_of("--output=gs://bucket/datasets")).parent == tmp_path


def test_nowhere_where_workers_see_no_common_disk(tmp_path: Path) -> None:
    assert folder_of(f"--output={tmp_path}", "--runner=FlinkRunner") == ""
    assert not list(tmp_path.iterdir())
