"""Made-up people, their editors and the lives of their suggestions, for `pipelines.generate`.

What each event is bound for is written here by hand, not asked of the
pipeline, so that the truth is a second opinion.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.synthetic.edits import agent_edits, editor_reports, inline_chat, next_edit, next_edits, twin
from pipelines.synthetic.event import Event, new_uuid

# Most people are alike, and some are not: so there are cells of many and cells of few.
LANGUAGES = ("python",) * 10 + ("typescript",) * 5 + (
    "javascript", "java", "go", "rust", "csharp", "cpp", "markdown", "sql",
)  # fmt: skip
ENGINES = ("gpt-41-copilot",) * 8 + ("gpt-4o-copilot", "o4-mini-copilot")
VERSIONS = ("0.42.0",) * 8 + ("0.41.0", "0.40.0", "0.39.0", "0.38.0")
SYSTEMS = (("linux", "6.8.0"), ("darwin", "25.1.0"), ("win32", "10.0.26100"))
PREFIXES = {  # and the country that the packaged geo database gives for all of it
    "81.2.69": "GB", "91.198.174": "NL", "133.11.0": "JP", "200.147.35": "BR", "41.86.140": "NG",
    "8.8.8": "US", "194.25.0": "DE", "2001:4860:4860:": "CA",
}  # fmt: skip
LEVELS = ("all",) * 86 + ("error",) * 6 + ("off",) * 4 + ("crash",) * 1 + (None,) * 1 + ("full",) * 2
SHARES = {"GB": 9, "US": 5}
"""How many of the people live in a country, where it is not one share."""

CLIENTS = ("applicationinsights",) * 5 + ("extension-appinsights",) * 3 + ("extension-1ds",) * 2
CONTAINERS = ("ndjson", "ndjson.gz", "ndjson.zst", "avro")
CHECKS_S = (15, 30, 120, 300, 600)
FIRST_SOURCES = ("async",) * 5 + ("network",) * 3 + ("cache", "cycling")
"""Where first displays come from. Later ones of the same completion are typed on."""

_CODE = (
    "def handle(request, session):\n    rows = session.query(Order).filter(Order.user == request.user)\n"
    "    return [row.total for row in rows if row.is_open]\n"
)


@dataclass
class Person:
    """One installation: its ids, its editor, what its user allows."""

    machine: str
    user: str
    client: str
    container: str
    level: str | None
    snippet_consent: bool
    address: str
    country: str
    system: tuple[str, str]
    has_event_ids: bool
    extension_version: str
    has_own_editor: bool = False
    session: str = ""


def person(rng: random.Random, containers: Sequence[str] = CONTAINERS) -> Person:
    """A person, drawn."""
    (prefix,) = rng.choices(tuple(PREFIXES), [SHARES.get(country, 1) for country in PREFIXES.values()])
    address = f"{prefix}:{rng.randrange(1, 65535):x}" if ":" in prefix else f"{prefix}.{rng.randrange(1, 255)}"
    if rng.random() < 0.1:
        address = f"198.51.100.{rng.randrange(1, 255)}, {address}"
    elif ":" not in prefix and rng.random() < 0.05:
        address = f"::ffff:{address}"
    client = rng.choice(CLIENTS)
    return Person(
        machine=f"{rng.getrandbits(256):064x}",
        user=f"{rng.getrandbits(128):032x}",
        client=client,
        container=rng.choice(containers),
        level=rng.choice(LEVELS),
        snippet_consent=rng.random() < 0.4,
        address=address,
        country=PREFIXES[prefix],
        system=rng.choice(SYSTEMS),
        has_event_ids=client == "applicationinsights" or rng.random() < 0.9,
        extension_version=rng.choice(VERSIONS),
        has_own_editor=rng.random() < 0.2,
    )


def opportunity(rng: random.Random, at_ms: int, has_own_editor: bool = False) -> Iterator[Event]:
    """All events that follow from one chance to suggest, of any kind, in no order."""
    kind = rng.random()
    if kind < 0.04:
        yield from _trouble(rng, at_ms)
        return
    ids = {
        "opportunityId": f"icr-{new_uuid(rng)}",
        "headerRequestId": new_uuid(rng),
        "languageId": rng.choice(LANGUAGES),
        "engineName": rng.choice(ENGINES),
    }
    if kind < 0.16:
        yield from next_edits(rng, at_ms, ids)
        return
    if kind < 0.19:
        yield from agent_edits(rng, at_ms, ids["languageId"])
        return
    if kind < 0.21:
        yield from inline_chat(rng, at_ms, ids["languageId"])
        return
    if kind < 0.25:  # the editor asks for a next edit at the same opportunity
        yield next_edit(rng, at_ms + 60, ids, "XtabProvider", False, "notAccepted")
    yield Event("ghostText.issued", "requests", {**ids, "isCycling": "false", "isMultiline": "true"},
                {"promptCharLen": rng.randrange(200, 9000), "documentLength": rng.randrange(200, 90000),
                 "documentLineCount": rng.randrange(5, 2000), "promptComputeTimeMs": rng.random() * 20},
                at_ms)  # fmt: skip
    yield Event("request.sent", "requests", {**ids, "endpoint": "completions", "uiKind": "ghostText"}, {}, at_ms + 5)
    delay = int(rng.lognormvariate(5.6, 0.5))
    if rng.random() < 0.05:
        yield Event("request.error", "requests", {**ids, "message": "FetchError", "code": "ECONNRESET"},
                    {"totalTimeMs": delay}, at_ms + delay)  # fmt: skip
        yield twin(rng, at_ms + delay + 1, ids["opportunityId"], False)
        return
    yield Event("request.response", "requests", {**ids, "status": "200"}, {"totalTimeMs": delay + 0.5}, at_ms + delay)
    if rng.random() < 0.04:
        yield from _redaction(rng, at_ms + delay, ids)
        return
    ids |= {"clientCompletionId": new_uuid(rng), "choiceIndex": "0"}
    yield from _life(rng, at_ms + delay, ids, has_own_editor)


def _life(rng: random.Random, at_ms: int, ids: dict[str, str], has_own_editor: bool) -> Iterator[Event]:
    chars, lines = rng.randrange(8, 400), rng.randrange(1, 12)
    size = {"compCharLen": chars, "numLines": lines}
    for again in range(1 if rng.random() < 0.6 else rng.randrange(2, 6)):
        source = "typingAsSuggested" if again else FIRST_SOURCES[chars % len(FIRST_SOURCES)]
        # What is replayed was asked for some time ago.
        longest_ms = 900 if source in ("async", "network") else 450_000
        if again:  # what is typed on is another opportunity, which shows the same completion
            before, ids = ids["opportunityId"], {**ids, "opportunityId": f"icr-{new_uuid(rng)}"}
            yield twin(rng, at_ms + 400 * again - 1, before, True, ids["opportunityId"])
        yield Event("ghostText.shown", "displays", {**ids, "reason": source},
                    {**size, "timeSinceIssuedMs": rng.random() * longest_ms, "meanLogProb": -rng.random()},
                    at_ms + 400 * again)  # fmt: skip
    if rng.random() < 0.2:
        code = _CODE * rng.randrange(1, 8)
        if rng.random() < 0.05:
            code += f"# mail {rng.choice(('ann', 'bob'))}@example.com\n"
        yield Event("engine.prompt", "snippets", {**ids, "promptJson": _json_text(code)}, {}, at_ms + 10)
    fate = rng.random()
    decided = at_ms + int(rng.lognormvariate(7.4, 0.8))
    yield twin(rng, max(decided, at_ms + 2100), ids["opportunityId"], True)
    if has_own_editor:
        reason = "accepted" if fate < 0.34 else "rejected" if fate < 0.55 else "ignored"
        yield from editor_reports(rng, decided, ids["opportunityId"], reason, chars)
    if fate < 0.34:
        yield from _acceptance(rng, decided, ids, size)
    elif fate < 0.5:
        yield Event("ghostText.rejected", "outcomes", {**ids, "compType": "full"}, size, decided)
    elif fate < 0.55:
        yield Event("ghostText.dismissed", "outcomes", {**ids, "compType": "full"}, size, decided)


def _acceptance(rng: random.Random, at_ms: int, ids: dict[str, str], size: dict[str, int]) -> Iterator[Event]:
    full, partial = {**ids, "compType": "full"}, {**ids, "compType": "partial"}
    if rng.random() < 0.15:
        part = {**size, "compCharLen": max(1, size["compCharLen"] // 3)}
        yield Event("ghostText.accepted", "outcomes", partial, part, at_ms - 50)
        if rng.random() < 0.3:
            yield from _checks(rng, at_ms - 50, partial, part)
            return
    text = {"completionTextJson": _json_text(_CODE)} if rng.random() < 0.3 else {}
    numbers = {**size, "timeSinceDisplayedMs": rng.random() * 4000}
    yield Event("ghostText.accepted", "outcomes", {**full, **text}, numbers,
                at_ms, mirrors=("snippets",) if text else ())  # fmt: skip
    yield from _checks(rng, at_ms, full, size)


def _checks(rng: random.Random, at_ms: int, ids: dict[str, str], size: dict[str, int]) -> Iterator[Event]:
    tokens = max(1, size["compCharLen"] // 4)
    edits = 0 if rng.random() < 0.5 else rng.randrange(0, tokens + 1)
    for check_s in CHECKS_S:
        if rng.random() < 0.12:
            continue
        edits = min(tokens, edits + (rng.random() < 0.2))
        yield Event("ghostText.stillInCode", "persistence_checks", dict(ids),
                    {"timeout": check_s, "relativeLexEditDistance": edits / tokens, "lexEditDistance": edits,
                     "completionLexLength": tokens, "charEditDistance": edits * 4, "insertionOffset": 1204,
                     "trackedOffset": 1204, "foundOffset": 1204, "stillInCodeHeuristic": int(edits / tokens <= 0.5),
                     "compCharLen": size["compCharLen"], "numLines": size["numLines"]},
                    at_ms + check_s * 1000)  # fmt: skip


def _redaction(rng: random.Random, at_ms: int, ids: dict[str, str]) -> Iterator[Event]:
    kind = rng.randrange(4)
    if kind == 0:
        yield Event("ghostText.empty", "redactions", {**ids, "reason": "all choices redacted"}, {}, at_ms)
    elif kind == 1:
        yield Event("completion.finishReason", "redactions",
                    {**ids, "finishReason": "content_filter", "filterCategory": "violence"}, {}, at_ms)  # fmt: skip
    elif kind == 2:
        yield Event("repetition.detected", "redactions", dict(ids), {}, at_ms)
    else:
        yield Event("ghostText.empty", "requests", {**ids, "reason": "no completions"}, {}, at_ms)


def _trouble(rng: random.Random, at_ms: int) -> Iterator[Event]:
    kind = rng.randrange(5)
    if kind == 0:
        numbers = {"expires_at": at_ms // 1000 + 1500, "adjusted_expires_at": at_ms // 1000 + 1400}
        yield Event("auth.new_token", "errors", {}, numbers, at_ms)
    elif kind == 1:
        yield Event(
            "ghostText.failed",
            "errors",
            {"reason": "unhandled status from server: 502 for /home/ann/work/app.py"},
            {},
            at_ms,
        )
    elif kind == 2:
        where = "at read (C:\\Users\\Bob\\work\\secret\\main.ts:10:5)"
        facts = ("TypeError", "cannot read C:\\Users\\Bob\\work\\main.ts", where)
        yield Event("unhandlederror", "errors", {}, {}, at_ms, exception=facts)
    elif kind == 3:
        yield Event("ghostText.shown", "displays", {"reason": "network", "headerRequestId": new_uuid(rng)},
                    {"compCharLen": "many"}, at_ms, is_invalid=True)  # fmt: skip
    else:
        yield Event(
            rng.choice(("panel.request", "interactiveSessionRequest", "survey.show")), None, {}, {"count": 1}, at_ms
        )


def _json_text(code: str) -> str:
    escaped = code.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{"prefix":"{escaped}"}}'
