"""What a person does about an event that does not land: one line, in words of the contract."""

from pipelines.checking.fates import Fate, Verdict
from schemas.errors import Reason
from schemas.registry import PERMITTED, load
from transforms.core.consent import Collector
from transforms.core.decoding.decoded import Event
from transforms.core.decoding.stamps import stamp_of

PAGE = "docs/send-events.md"
_STAMP = '"collector": {"received_at": "2026-11-21T10:15:33Z", "telemetry_level": "all"}'
_QUARANTINED = {
    Reason.MALFORMED_PAYLOAD: "each line is one JSON object, without line breaks in it",
    Reason.INVALID_EVENT: f"{PAGE} has lines to copy and the three envelopes",
    Reason.MISSING_RECEIVED_AT: f"add received_at to the line's stamp, as in {_STAMP}",
    Reason.PAYLOAD_TOO_LARGE: "a line or body may have 16 MiB",
    Reason.UNREADABLE_CONTAINER: "the file ends early or is of a kind that is not read: NDJSON, gzip, zstd or Avro",
    Reason.FOREIGN_SCHEMA: "the records are of another schema than schemas/avro/raw_request.1.avsc",
    Reason.UNPROCESSABLE: "a bug of this program: please report it",
}


def hint_for(fate: Fate, event: Event | None) -> str | None:
    """What to do; None where there is nothing to do, or nothing more to say than the verdict does."""
    if fate.verdict is Verdict.WITHHELD and event is not None:
        return _of_withheld(fate, event)
    if fate.verdict is Verdict.OUTSIDE_CONTRACT:
        return (
            f"no schema names this event: is the name right? {PAGE} lists the names that land; else docs/own-events.md"
        )
    if fate.verdict is Verdict.QUARANTINED and fate.key is not None:
        return _QUARANTINED.get(Reason(fate.key)) or _of_wrong_field(fate)
    return None


def _of_withheld(fate: Fate, event: Event) -> str:
    line, _, of_request = event
    found = stamp_of(line) if of_request is None else None
    stamp = of_request or (found.collector if found is not None else Collector())
    if fate.key == "snippet":
        return "code needs telemetry_level all and snippet_consent true in the stamp"
    if fate.key != "off":
        return f"the stamp's telemetry_level is {fate.key}, and this event needs a higher one: {PAGE}"
    if stamp.telemetry_level is None:
        return f"no telemetry level on the line: add {_STAMP}, see {PAGE}"
    if stamp.telemetry_level not in PERMITTED:
        return f"the stamp's telemetry_level is no known word: allowed are {', '.join(PERMITTED)}"
    return "its user's telemetry level is off: nothing of it may be kept"


def _of_wrong_field(fate: Fate) -> str | None:
    """Where on the wire the field is looked for."""
    if fate.dataset is None or fate.wrong is None or fate.wrong not in load(fate.dataset).arrow.names:
        return None
    sources = [source.partition("=>")[0] for source in load(fate.dataset).field(fate.wrong).sources]
    return f"it is looked for in {', '.join(sources[:4])}" if sources else None
