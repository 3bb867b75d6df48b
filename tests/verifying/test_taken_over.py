"""A warning of verify ends when what it warns of is mended, and not before."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines import batch, keys, metrics, sign
from pipelines.running import input_run
from schemas.errors import InvalidOptions, KeyUnavailable, UnbalancedBooks
from tests.conftest import sample, write_lines
from tests.support.changes import done
from tests.support.signed_outputs import problems, verified


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A signed output, whose ring has got a month since."""
    keys.create(str(tmp_path / "keys"), "2026-03", 1)
    write_lines(tmp_path / "raw.ndjson", [sample()])
    write_lines(tmp_path / "more.ndjson", [sample("outcomes/pass/ghostText.accepted")])
    run(tmp_path)
    keys.rotate(str(tmp_path / "keys"), str(tmp_path / "keys" / "private"), "2026-04")
    return tmp_path


def run(folder: Path, *names: str) -> None:
    inputs = [f"--input={folder}/{name}.ndjson" for name in names or ("raw",)]
    batch.run([*inputs, f"--output={folder}/out", f"--key_ring={folder}/keys", "--buckets=4"])


def accepted(folder: Path, *manifests: str) -> None:
    flags = [f"--accept={manifest}" for manifest in manifests]
    sign.main([f"--datasets={folder}/out", f"--key_ring={folder}/keys", *flags])


def warnings(folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> list[str]:
    """Of an output that is as it must be."""
    capsys.readouterr()
    verified(folder / "out", "--max_unjoined=100%", *flags)
    told = capsys.readouterr().err.splitlines()
    return [line.removeprefix("warning: ") for line in told if line.startswith("warning: ")]


def alter(folder: Path) -> bytes:
    """Somebody takes out of what the output keeps which month was destroyed, or the like; returns what was there."""
    path = folder / "out" / "_output.json"
    before = path.read_bytes()
    told = json.loads(before)
    told["landing_from"] = "2025-01"
    path.write_text(json.dumps(told))
    return before


def test_a_ring_that_has_got_a_month_is_signed_for_also_where_the_input_is_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder)
    assert warnings(folder, capsys) == []


@pytest.mark.parametrize("killed_in", ["list_input", "write_schema_file", "_run_pipeline", "sign_input"])
def test_a_run_with_more_keys_that_is_killed_anywhere_leaves_no_warning(
    folder: Path, capsys: pytest.CaptureFixture[str], killed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.options import ingest_flags

    def killed(*_: object) -> None:
        raise KeyUnavailable("killed")

    with monkeypatch.context() as patched:
        place = ingest_flags if killed_in == "write_schema_file" else input_run
        patched.setattr(place, killed_in, killed)
        with pytest.raises(KeyUnavailable, match="killed"):
            run(folder, "more")
    run(folder, "more")
    assert warnings(folder, capsys) == []


def test_what_somebody_altered_is_a_warning_until_it_is_brought_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder)
    before = alter(folder)
    assert problems(folder / "out", capsys)[0].startswith("_output.json: altered")
    run(folder, "more")
    for _ in range(2):
        (line,) = warnings(folder, capsys)
        assert line.startswith("_output.json: manifest output:3 took it over as it was found")
        assert line.endswith("pipelines.sign --accept output:3")
        run(folder, "raw", "more")
    (folder / "out" / "_output.json").write_bytes(before)
    run(folder, "raw", "more")
    assert warnings(folder, capsys) == []


def test_or_until_somebody_with_the_ring_has_said_that_it_is_right(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder)
    alter(folder)
    run(folder, "more")
    with pytest.raises(InvalidOptions, match=r"--accept output:2: manifests that took something over.*: output:3"):
        accepted(folder, "output:2", "output:3")
    with pytest.raises(InvalidOptions, match="allowed is CHAIN:NUMBER, as verify prints it"):
        accepted(folder, "3")
    accepted(folder, "output:3")
    assert "_output.json: accepted as it was taken over" in capsys.readouterr().out
    assert warnings(folder, capsys) == []
    with pytest.raises(InvalidOptions, match=r"--accept output:3.*: none"):
        accepted(folder, "output:3")
    alter(folder)
    (folder / "out" / "_output.json").write_text((folder / "out" / "_output.json").read_text().replace("2025", "2024"))
    run(folder, "raw", "more")
    assert [line.partition(" took")[0] for line in warnings(folder, capsys)] == ["_output.json: manifest output:6"]


def test_a_deletion_each_night_signs_nothing_that_somebody_altered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines import expire

    run(folder)
    alter(folder)
    done(expire.main, f"--datasets={folder}/out", f"--key_ring={folder}/keys", "--as_of=2026-05-01")
    assert [line.partition(":")[0] for line in problems(folder / "out", capsys)] == ["_output.json"]


def test_figures_of_a_killed_run_are_a_warning_until_they_are_made_anew_or_accepted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [f"--datasets={folder}/out", f"--key_ring={folder}/keys"]
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.releasing.signing.sign_apart", _killed)
        with pytest.raises(UnbalancedBooks, match="killed"):
            metrics.main(flags)
    metrics.main(flags)
    told = warnings(folder, capsys)
    day = "acceptance/received_date=2026-03-29/acceptance.parquet"
    assert [line.partition(":")[0] for line in told] == ["_published/acceptance.json", day]
    shutil.copytree(folder, folder.parent / "other")
    accepted(folder.parent / "other", "acceptance:1")
    assert warnings(folder.parent / "other", capsys) == []
    metrics.main([*flags, "--date=2026-03-29", "--revise"])
    assert warnings(folder, capsys) == []


def _killed(*_: object) -> None:
    raise UnbalancedBooks("killed")


def test_the_record_of_a_refused_run_is_a_warning_until_a_run_was_not_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(folder / "keys" / "ring.json", folder / "ring.json")
    with pytest.raises(KeyUnavailable):
        batch.main([f"--input={folder}/raw.ndjson", f"--output={folder}/out", f"--key_ring={folder}/keys"])
    shutil.move(folder / "ring.json", folder / "keys" / "ring.json")
    (line,) = warnings(folder, capsys)
    assert line.endswith("the record of a run that was refused, which nobody signed")
    run(folder, "more")
    assert warnings(folder, capsys) == []
    verified(folder / "out", "--max_unjoined=100%")
    assert "1 records of runs that were refused are signed by nobody" in capsys.readouterr().out


def test_the_list_of_an_input_that_was_cut_off_is_told_until_another_run_has_read_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(input_run, "_run_pipeline", _killed)
        with pytest.raises(UnbalancedBooks, match="killed"):
            run(folder, "more")
    assert any("its run was cut off" in line for line in problems(folder / "out", capsys))
    run(folder, "raw", "more")
    assert warnings(folder, capsys) == []
    assert "lists an input whose run was cut off" in warnings(folder, capsys, "--only_manifests")[0]
    verified(folder / "out", "--max_unjoined=100%")
    assert "1 inputs whose run was cut off were read by other runs since" in capsys.readouterr().out
