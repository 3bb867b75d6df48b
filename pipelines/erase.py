"""Erase people from landed files, by their raw ids.

python -m pipelines.erase --datasets datasets/ --key_ring keys/ --people FILE --dry_run
python -m pipelines.erase --datasets datasets/ --key_ring keys/ --people FILE --checksum CHECKSUM
"""

from collections.abc import Sequence

from pipelines.changing.change import run
from pipelines.erasing.erasure import erasure_of
from pipelines.erasing.told import add_flags, told_by
from pipelines.options.flags import JobParser, job_parser
from pipelines.running.command import run_job

_DONE = ("erased", "nothing was to be erased; what comes in of then is left out")


def _parser() -> JobParser:
    parser = job_parser(
        "erase",
        "Take every row of people out of every file, suggestions, code and quarantine included, and keep an old input "
        "from bringing one back. Files that hold none of their rows are not touched. Nothing is changed without the "
        "checksum that a dry run has printed. The output must not be written to meanwhile. A run that was cut off is "
        "finished with the same command. docs/erasure.md tells all of it.",
    )
    add_flags(parser)
    return parser


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    run(erasure_of(told_by("erase", args, erases=True)), args.checksum, _DONE)


if __name__ == "__main__":
    run_job(main)
