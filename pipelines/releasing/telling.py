"""What a run has published, and what it left as it was, as a few lines for people."""

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.rates.cells import MERGED
from pipelines.rates.kinds import AT_THE_CURSOR, KINDS
from pipelines.releasing.publishing import Standing
from schemas.errors import InvalidOptions


def check_asked(asked: Sequence[date] | None, left: Mapping[date, Standing]) -> None:
    """Raises InvalidOptions where a day that was asked for is left as it is, unless it is as it was published."""
    for day in asked or ():
        if (standing := left.get(day, Standing.NEW)) not in (Standing.NEW, Standing.PUBLISHED):
            raise InvalidOptions(f"--date {day}: {standing.value}{_way_out(standing)}")


def describe_left(left: Mapping[Standing, Sequence[date]]) -> list[str]:
    """A line for each reason for which days were left as they are."""
    return [f"{_days(days)}: {standing.value}{_way_out(standing)}" for standing, days in left.items() if days]


def _way_out(standing: Standing) -> str:
    if standing in (Standing.OPEN, Standing.PUBLISHED, Standing.UNSIGNED):
        return ""
    return "; --revise publishes the day again, and spends its epsilon again"


def _days(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"


def describe(rows: pa.Table, days: Sequence[date], given_up: Sequence[str]) -> str:
    """What was made, as a few lines for people."""
    empty = len({*days} - {*rows["received_date"].to_pylist()})
    lines = [f"{rows.num_rows} cells of {len(days) - empty} days"]
    lines += [_describe_kind(kind, rows.filter(pc.equal(rows["kind"], kind)), given_up) for kind in KINDS]
    if empty:
        lines.append(f"days without a row, as nothing or too few installations were seen: {empty}")
    return "\n".join(lines)


def _describe_kind(kind: str, rows: pa.Table, given_up: Sequence[str]) -> str:
    """Of what was shown, how much was accepted; of kinds that no event shows, of what was decided on."""
    if not rows.num_rows:
        return f"{kind}: nothing, or of too few installations"
    of = "shown" if kind in AT_THE_CURSOR else "decided"
    whole, accepted = (pc.sum(rows[name]).as_py() for name in (of, "accepted"))
    lost = {name: pc.sum(rows.filter(pc.equal(rows[name], MERGED))[of]).as_py() or 0 for name in given_up}
    told = ", ".join(f"{name}: {_percent(part / whole)}" for name, part in lost.items() if part)
    share = f" ({accepted / whole:.1%})" if whole else ""
    return f"{kind}: {whole} {of}, {accepted} accepted{share}; gave up {told or 'nothing'}"


def _percent(share: float) -> str:
    """Whole percents; what is neither nothing nor everything is not told as one of them."""
    return "<1 %" if share < 0.01 else ">99 %" if 0.99 < share < 1 else f"{share * 100:.0f} %"
