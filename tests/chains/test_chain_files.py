"""Where manifests lie."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.chains.chain_files import last_number, path_of, place_of, read_each
from transforms.core.output.layout import Output


@given(st.sampled_from(["output", "acceptance"]), st.integers(1, 999_999_999))
def test_a_place_has_one_path(chain: str, number: int) -> None:
    assert place_of(path_of(chain, number)) == (chain, number)


def test_other_paths_are_none() -> None:
    for path in (
        "runs/x.json",
        "runs/manifests/output/000001/000000001.jsonl",
        "runs/manifests/output/000000/1.jsonl",
        "x",
    ):
        assert place_of(path) is None


def test_the_last_one_is_found_beyond_strange_files(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert last_number(output, "output") == 0
    for number in (1, 999, 1000, 1001):
        path = tmp_path / path_of("output", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    (tmp_path / "runs/manifests/output/999999").mkdir()
    (tmp_path / "runs/manifests/output/999999/x").write_text("")
    assert last_number(output, "output") == 1001
    assert [*read_each(output, [path_of("output", n) for n in (1001, 1)])] == [b"1001", b"1"]
