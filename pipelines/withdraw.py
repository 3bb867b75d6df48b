"""Take what people no longer permit out of landed files: events, fields and code above a new level.

python -m pipelines.withdraw --datasets datasets/ --key_ring keys/ --people FILE --dry_run
python -m pipelines.withdraw --datasets datasets/ --key_ring keys/ --people FILE --checksum CHECKSUM
"""

from collections.abc import Sequence

from pipelines.changing.change import run
from pipelines.erasing.erasure import erasure_of
from pipelines.erasing.told import Told, add_flags, told_by
from pipelines.options.flags import JobParser, job_parser
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions

_DONE = ("withdrew what is no longer permitted", "nothing was to be withdrawn; what comes in of then is left out")


def _parser() -> JobParser:
    parser = job_parser(
        "withdraw",
        "Take out of landed files what people no longer permit: rows whose event needs a higher telemetry level than "
        "they now have, fields above it, and code. Each line of --people has a telemetry_level, snippet_consent, or "
        "both. Nothing is changed without the checksum that a dry run has printed. The output must not be written to "
        "meanwhile. A run that was cut off is finished with the same command. docs/erasure.md tells all of it.",
    )
    add_flags(parser)
    return parser


def _checked(told: Told) -> Told:
    for number, person in enumerate(told.people, 1):
        if person.telemetry_level is None and person.snippet_consent is None:
            raise InvalidOptions(
                f"--people: person {number} of {len(told.people)} has neither telemetry_level nor snippet_consent, so "
                "that nothing is withdrawn"
            )
    return told


def main(argv: Sequence[str]) -> None:
    """The command; raises InvalidOptions where a person withdraws nothing."""
    args = _parser().parse_args(list(argv))
    run(erasure_of(_checked(told_by("withdraw", args, erases=False))), args.checksum, _DONE)


if __name__ == "__main__":
    run_job(main)
