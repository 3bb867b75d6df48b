"""One page that shows what came in, what became of it, and what is protected.

python -m pipelines.report --datasets datasets/ --to report.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jinja2
from markupsafe import Markup

from pipelines.options.flags import add_date, add_min_installations, job_parser
from pipelines.rates.arms import interval_text, number_text
from pipelines.rates.assignments import add_arms, assignment_of
from pipelines.rates.tables import existing_days
from pipelines.reporting.charts import all_charts
from pipelines.reporting.figures import Figures, gather_figures
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.output.layout import Output
from transforms.core.times import UNKNOWN_DATE

VALUES_DRAWN = 10
SURVIVAL_DRAWN_S = (30, 120, 300, 600, 900)
_NOTHING = "\N{EN DASH}"


def render(figures: Figures, source: str, made_at: datetime) -> str:
    """The page: HTML with its charts inside, no script, nothing asked of a network; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.reporting", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    filters: dict[str, Any] = {
        "number": _number, "share": _share, "ms": _ms, "moment": _moment, "rate": number_text,
        "interval": interval_text, "words": _words, "tenths": _tenths,
    }  # fmt: skip
    environment.filters |= filters
    environment.globals |= filters
    charts = {name: Markup(svg) for name, svg in all_charts(figures, VALUES_DRAWN).items()}  # noqa: S704 - drawn by us, texts escaped
    page = environment.get_template("report.html.j2").render(
        f=figures, charts=charts, source=source, made_at=made_at, values_drawn=VALUES_DRAWN, survival_s=SURVIVAL_DRAWN_S
    )
    return f"{page.strip()}\n"


def _number(value: Any) -> str:
    return _NOTHING if value is None else f"{value:,.0f}"


def _tenths(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:,.1f}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1%}"


def _ms(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:,.0f} ms"


def _moment(value: datetime | None) -> str:
    return _NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def main(argv: Sequence[str]) -> None:
    """The command."""
    parser = job_parser(
        "report",
        "Write one self-contained HTML page about an output: where every event went, acceptance and persistence, "
        "latency, errors, redactions, freshness, and what is protected. It opens without a network and prints well.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument("--to", required=True, metavar="FILE", help="The page, .html; a local path or a URL.")
    add_date(parser)
    add_min_installations(parser)
    add_arms(parser)
    args = parser.parse_args(list(argv))
    if not args.to.endswith(".html"):
        raise InvalidOptions(f"--to {args.to}: allowed is a .html file")
    assignment = assignment_of(args.arms, args.arm_shares, args.arm_ids_by)
    days = args.date or existing_days(args.datasets)
    figures = gather_figures(args.datasets, days, args.min_installations, assignment)
    page = render(figures, args.datasets.path, datetime.now(UTC))
    storage.write_atomic(args.to, page.encode())
    dated = [day for day in figures.days if day != UNKNOWN_DATE]
    span = f"{dated[0]} to {dated[-1]}" if dated else "no dated events"
    print(f"{args.to}: {len(page.encode()) // 1024} KB, {span}")


if __name__ == "__main__":
    run_job(main)
