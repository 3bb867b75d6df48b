"""What a replay would do: the payloads that would leave quarantine, and those that stay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import blake2b

import msgspec

from pipelines.replaying.selection import Chosen, part_of
from pipelines.replaying.trial import Trial
from pipelines.running.summary import describe
from schemas.registry import contract_digest
from transforms.core.decoding.lowered import Consent
from transforms.core.decoding.sealed_part import payloads_of
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.output.books import Books


class Going(msgspec.Struct, frozen=True, order=True):
    """A payload that would leave quarantine: its received_date there, `payload_id` and reason; and the consent of now.

    The last two are None where its people permit what they did.
    """

    day: date
    payload_id: str
    reason: str
    telemetry_level: str | None = None
    snippet_consent: bool | None = None

    @property
    def now(self) -> Consent | None:
        """The consent of now, where it is another one."""
        if self.telemetry_level is None:
            return None
        return Consent(self.telemetry_level, bool(self.snippet_consent))


@dataclass(frozen=True)
class ReplayPlan:
    """What a dry run shows. `books` are those of everything that was tried."""

    chosen: Chosen
    going: tuple[Going, ...]
    books: Books

    @cached_property
    def checksum(self) -> str:
        """32 hex digits: of what goes and of what stays, under this contract."""
        stays = sorted(set(self.chosen.reason_of) - {one.payload_id for one in self.going})
        text = [contract_digest().encode(), msgspec.json.encode(self.going), msgspec.json.encode(stays)]
        return blake2b(b"\n".join(text), digest_size=16).hexdigest()

    @property
    def told(self) -> list[str]:
        """Lines for people."""
        chosen, going = self.chosen, Counter(one.reason for one in self.going)
        lines = [f"{chosen.rows:,} payloads of quarantine are chosen, of {len(chosen.days):,} days:"]
        for reason, count in chosen.reasons.most_common():
            lines.append(f"  {reason}: {count:,}, of which {going[reason]:,} would leave quarantine")
        if chosen.replayed:
            lines.append(f"  {chosen.replayed:,} were replayed before and are left alone")
        if chosen.without_body:
            lines.append(f"  {chosen.without_body:,} have no body, so nothing can be replayed of them")
        if lowered := sum(one.now is not None for one in self.going):
            lines.append(f"  {lowered:,} are of people whose consent of now counts")
        if chosen.rows:
            lines.append("what would become of them, copies of what landed before not seen:")
            lines += [f"  {line}" for line in describe(self.books).splitlines()[:-1]]
        return lines


def plan_of(
    chosen: Chosen, keys: PrivateKeys, trial: Trial, consents: Mapping[str, Consent]
) -> ReplayPlan:  # fmt: skip
    """Opens and tries every chosen payload; raises KeyUnavailable where one does not open, StorageUnavailable."""
    going: set[Going] = set()
    for file, found, size_bytes in chosen.files:
        rows = [row._replace(now=consents.get(row.payload_id)) for row in found]
        refused = trial.refused(payloads_of(part_of(file, rows, size_bytes), keys))
        for row in rows:
            if row.payload_id not in refused:
                now = row.now or (None, None)
                going.add(Going(file.day, row.payload_id, chosen.reason_of[row.payload_id], *now))
    return ReplayPlan(chosen, tuple(sorted(going, key=_order)), trial.published().books)


def _order(one: Going) -> tuple[date, str]:
    return one.day, one.payload_id


def digest_of(going: Iterable[Going]) -> str:
    """16 hex digits that name these payloads as an input: the same ones have the same name, whenever they go."""
    return blake2b(b"replay\n" + msgspec.json.encode([*going]), digest_size=8).hexdigest()
