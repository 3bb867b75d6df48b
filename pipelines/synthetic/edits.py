"""Made-up next edits, edits of an agent and of inline chat, and second reports of ghost text.

What each event is bound for is written here by hand, as in `events`.
"""

import random
from collections.abc import Iterator
from typing import Any

from pipelines.synthetic.event import Event, new_uuid

SURVIVAL_S = (0, 5, 30, 120, 300, 600, 900)
"""Seconds after which a client reports the survival of an edit."""

EDITOR_S = (0, 30, 120, 300, 600, 900)
"""Seconds after which an editor reports what is left of an accepted suggestion."""

PROVIDERS = ("XtabProvider",) * 9 + ("DiagnosticsNextEditProvider",)
_DISPOSALS = ("NotTaken", "LostRace", "TokenCancellation", "Other")


def next_edits(rng: random.Random, at_ms: int, ids: dict[str, str]) -> Iterator[Event]:
    """The report of a next edit and of what became of it; now and then of two providers at one opportunity."""
    is_shown = rng.random() < 0.7
    taken = rng.choice(("accepted", "rejected", "notAccepted")) if is_shown else "notAccepted"
    yield next_edit(rng, at_ms, ids, rng.choice(PROVIDERS), is_shown, taken)
    if rng.random() < 0.05:
        yield next_edit(rng, at_ms + 1, ids, "nes", False, "notAccepted")
    if taken == "accepted":
        name = {"opportunityId": ids["opportunityId"]}
        chars = rng.randrange(4, 200)
        for check_s, measures in _survivals(rng):
            arc = {"arc": int(chars * measures["survivalRateFourGram"])}
            yield Event("reportInlineEditSurvivalRate", "persistence_checks", dict(name), {**measures, **arc},
                        at_ms - 20 + check_s * 1000)  # fmt: skip


def next_edit(rng: random.Random, at_ms: int, ids: dict[str, str], provider: str, is_shown: bool, taken: str) -> Event:
    """The one report of a next edit, at its end."""
    properties = {
        "opportunityId": ids["opportunityId"],
        "headerRequestId": ids["headerRequestId"],
        "providerId": provider,
        "modelName": "nes-model",
        "activeDocumentLanguageId": ids["languageId"],
        "acceptance": taken,
        "disposalReason": rng.choice(_DISPOSALS),
    }
    if taken == "notAccepted" and rng.random() < 0.3:
        properties["supersededByOpportunityId"] = f"icr-{new_uuid(rng)}"
    if not is_shown:
        properties["noNextEditReasonKind"] = rng.choice(("noSuggestions", "filteredOut", "gotCancelled"))
    numbers = {"isShown": int(is_shown), "isFromCache": int(rng.random() < 0.1), "nEditsSuggested": 1,
               "nextEditProviderDuration": rng.random() * 600, "ttft": rng.random() * 300,
               "fetchTime": rng.random() * 500}  # fmt: skip
    return Event("provideInlineEdit", "outcomes", properties, numbers, at_ms, ("displays",) if is_shown else ())


def agent_edits(rng: random.Random, at_ms: int, language: str) -> Iterator[Event]:
    """The edits of one chat request: what is left of each, and decisions on files and hunks."""
    request = new_uuid(rng)
    yield Event("request.sent", "requests", {"headerRequestId": request, "uiKind": "editingSessionAgent"}, {}, at_ms)
    tools = (
        ("applyPatch/trackEditSurvival", "applyPatchTool"),
        ("replaceString/trackEditSurvival", "stringReplaceTool"),
    )
    for name, tool in (tools[0], *rng.choices(tools, k=rng.randrange(0, 3))):
        made_ms = at_ms + rng.randrange(0, 9000)
        properties = {"headerRequestId": request, "requestSource": "agent", "mapper": tool}
        for check_s, measures in _survivals(rng):
            yield Event(name, "persistence_checks", dict(properties), measures, made_ms + check_s * 1000)
    # A conversation that was restored does not know its request: such a decision belongs to nothing.
    decision = {"languageId": language, **({"requestId": request} if rng.random() > 0.03 else {})}
    for number in range(rng.randrange(0, 4)):
        outcome = rng.choice(("accepted", "accepted", "rejected", "saved"))
        decided_ms = at_ms + 10_000 + 700 * number
        if outcome == "saved" or rng.random() < 0.5:
            rest = {"outcome": outcome, "hasRemainingEdits": rng.choice(("true", "false"))}
            yield Event("panel.edit.feedback", "outcomes", {**decision, **rest}, {"isNotebook": 0}, decided_ms)
        else:
            lines = {"lineCount": 6, "linesAdded": 5, "linesRemoved": 1, "hasRemainingEdits": int(rng.random() < 0.5)}
            yield Event("edit.hunk.action", "outcomes", {**decision, "outcome": outcome}, lines, decided_ms)


def inline_chat(rng: random.Random, at_ms: int, language: str) -> Iterator[Event]:
    """An edit of inline chat: the decision, and what is left of it if it was accepted."""
    properties = {"requestId": new_uuid(rng), "languageId": language, "replyType": "inlineEdit", "command": "fix"}
    is_accepted = rng.random() < 0.6
    numbers = {"accepted": int(is_accepted), "editCount": rng.randrange(1, 4), "editLineCount": rng.randrange(1, 30)}
    yield Event("inline.done", "outcomes", properties, numbers, at_ms)
    if is_accepted:
        for check_s, measures in _survivals(rng):
            yield Event("inline.trackEditSurvival", "persistence_checks", dict(properties), measures,
                        at_ms + 10 + check_s * 1000)  # fmt: skip


def _survivals(rng: random.Random) -> Iterator[tuple[int, dict[str, Any]]]:
    """Reports of one edit's survival; some do not come, and after some the branch is another one."""
    left, is_other_branch = 1.0, False
    for check_s in SURVIVAL_S:
        left *= rng.choice((1.0, 1.0, 0.75, 0.5)) if check_s else 1.0
        is_other_branch = is_other_branch or rng.random() < 0.02
        if rng.random() < 0.1:
            continue
        yield check_s, {"survivalRateFourGram": left, "survivalRateNoRevert": (1 + left) / 2,
                        "didBranchChange": int(is_other_branch), "timeDelayMs": check_s * 1000}  # fmt: skip


def twin(rng: random.Random, at_ms: int, opportunity: str, is_shown: bool, superseded_by: str | None = None) -> Event:
    """What the next-edit provider's telemetry says of a ghost-text opportunity: of no suggestion of its own."""
    properties = {
        "opportunityId": opportunity,
        "providerId": "ghostText",
        "acceptance": "notAccepted",
        "disposalReason": rng.choice(_DISPOSALS) if is_shown else "Empty",
    }
    if superseded_by is not None:
        properties["supersededByOpportunityId"] = superseded_by
    numbers = {"isShown": int(is_shown), "hasNextEdit": int(is_shown), "userTypingDisagreed": int(rng.random() < 0.3)}
    return Event("provideInlineEdit", "endings", properties, numbers, at_ms)


def editor_reports(rng: random.Random, at_ms: int, opportunity: str, reason: str, chars: int) -> Iterator[Event]:
    """What an editor of one's own reports of a suggestion that was shown."""
    properties = {"opportunityId": opportunity, "extensionId": "github.copilot-chat", "languageId": "python"}
    end = {**properties, "groupId": "completions", "reason": reason, "viewKind": "ghostText"}
    numbers = {"shown": 1, "shownDuration": rng.randrange(100, 9000), "timeUntilShown": rng.randrange(100, 900)}
    yield Event("vscode.inlineCompletion.endOfLife", "endings", end, numbers, at_ms + 2)
    left = chars
    for check_s in EDITOR_S if reason == "accepted" else ():
        left = rng.randrange(left // 2, left + 1) if check_s else left
        yield Event("vscode.editTelemetry.reportInlineEditArc", "persistence_checks", dict(properties),
                    {"timeDelayMs": check_s * 1000, "arc": left, "originalCharCount": chars, "didBranchChange": 0},
                    at_ms + 3 + check_s * 1000)  # fmt: skip
