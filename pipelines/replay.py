"""Send payloads of quarantine through the job again, after what was wrong has been mended.

python -m pipelines.replay --output datasets/ --key_ring keys/ --private_key keys/private/operators.json \
  --purpose "months added to the ring" --dry_run
"""

from collections.abc import Sequence

from pipelines.changing.change import dry_run, only_sweep
from pipelines.options.audit_flags import add_audit_flags
from pipelines.options.flags import JobParser, iso_date, job_parser
from pipelines.options.ingest_flags import add_ingest_flags
from pipelines.options.local_options import LocalOptions
from pipelines.recording.flags import add_telling_flags, listeners_of
from pipelines.recording.log_lines import begin_log
from pipelines.recording.record import new_record
from pipelines.recording.recorder import recorded
from pipelines.replaying.opened import Replay
from pipelines.runners.known import BATCH, DEFAULTS
from pipelines.running.command import run_job
from pipelines.running.memory import tune_memory
from pipelines.running.summary import describe
from pipelines.workers.spilling import add_spill_folder
from schemas.errors import InvalidOptions, Reason
from transforms.core import storage
from transforms.core.output.layout import OUTPUT_FILE

_STAGES = ("DecodeEvents", "ProtectEvents")


def _parser() -> JobParser:
    parser = job_parser(
        "replay",
        "Open payloads of quarantine with the operators' private key and send them through the job again after a fix. "
        "What is well now lands under the days on which it was received, as if it had been well at once; what still "
        "fails stays in quarantine as it is. Twice lands nothing twice. Nothing is done without the checksum that a "
        "dry run has printed, and a run that was cut off is finished by the same command. It runs on this machine. "
        "docs/quarantine.md tells all of it.",
    )
    add = parser.add_argument
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry_run", action="store_true",
                     help="Only print what would be replayed and what would become of it, and a checksum.")  # fmt: skip
    how.add_argument("--checksum", metavar="CHECKSUM", help="Replay what the dry run that printed it has named.")
    add("--private_key", required=True, metavar="FILE", help="The operators' key file.")
    add("--reason", action="append", choices=[str(reason) for reason in Reason],
        help="Only payloads that are in quarantine for this reason; repeatable. Default: all.")  # fmt: skip
    add("--date", type=iso_date, action="append", metavar="YYYY-MM-DD",
        help="Only this received_date; repeatable. Default: all.")  # fmt: skip
    add("--stage", action="append", choices=_STAGES,
        help="Only payloads that this step refused; repeatable. Default: all.")  # fmt: skip
    add("--consents", metavar="FILE",
        help="People who permit less now than they did: a line for each person, a JSON object with machine, session, "
        "user or tracking, and with telemetry_level or snippet_consent. The smaller consent of then and now "
        "counts.")  # fmt: skip
    add_audit_flags(parser)
    add_telling_flags(add)
    add_ingest_flags(add)
    add_spill_folder(add)
    return parser


def parsed(argv: Sequence[str]) -> LocalOptions:
    """The flags; raises InvalidOptions."""
    options = LocalOptions(_parser().parse_args(list(argv)))
    if missing := [f"--{name}" for name in ("output", "key_ring") if getattr(options, name) is None]:
        raise InvalidOptions(f"required and missing: {', '.join(missing)}")
    if not storage.exists(options.output.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--output {options.output}: no output of the jobs there")
    return options


def main(argv: Sequence[str]) -> None:
    """The command."""
    tune_memory()
    begin_log(argv)
    options = parsed(argv)
    replay = Replay(options)
    if options.dry_run:
        dry_run("replay", options.output, replay.plan)
        return
    found = replay.input_of(options.checksum)
    if found is None:
        only_sweep(options.output)
        print("nothing leaves quarantine by this, or what it named has left it already")
        return
    record = new_record("replay", ["quarantine"], None, DEFAULTS[BATCH])
    with recorded(record, listeners_of(options)) as recorder:
        books = replay.run(found, recorder)
    if options.log_format != "json":
        print(describe(books))


if __name__ == "__main__":
    run_job(main)
