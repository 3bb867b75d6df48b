"""Either a dry run or its checksum, of an output of ours."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from pipelines.changing.flags import add_change_flags, check_is_output
from schemas.errors import InvalidOptions
from transforms.core.output.layout import Output


@pytest.mark.parametrize(
    ("given", "is_allowed"),
    [(["--dry_run"], True), (["--checksum=a"], True), ([], False), (["--dry_run", "--checksum=a"], False)],
)
def test_one_of_both(given: list[str], is_allowed: bool) -> None:
    parser = ArgumentParser()
    add_change_flags(parser)
    if is_allowed:
        assert parser.parse_args(["--datasets=out", *given]).datasets == Output("out")
    else:
        with pytest.raises(SystemExit):
            parser.parse_args(["--datasets=out", *given])


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="no output of the jobs there"):
        check_is_output(Output(str(tmp_path)))
    (tmp_path / "_output.json").write_text("{}")
    check_is_output(Output(str(tmp_path)))
