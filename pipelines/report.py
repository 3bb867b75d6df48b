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
from pipelines.reporting import tables, texts
from pipelines.reporting.charts import all_charts
from pipelines.reporting.drawing import draw
from pipelines.reporting.figures import Figures, gather_figures
from pipelines.reporting.interactive import scripts
from pipelines.reporting.latency import SLOW_MS
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.output.layout import Output
from transforms.core.times import UNKNOWN_DATE

VALUES_DRAWN = 10
SURVIVAL_DRAWN_S = (30, 120, 300, 600, 900)


def render(figures: Figures, source: str, made_at: datetime, is_interactive: bool = False) -> str:
    """The page: HTML with its charts inside, nothing asked of a network; every value is escaped.

    It runs no script, or, where it is interactive, those of `reporting.interactive`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.reporting", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    filters: dict[str, Any] = {**texts.FILTERS, "rate": number_text, "interval": interval_text}
    environment.filters |= filters
    environment.globals |= {**filters, "tables": tables, "plain": str}
    specs = all_charts(figures, VALUES_DRAWN)
    charts = {name: Markup(draw(spec)) for name, spec in specs.items()}  # noqa: S704 - drawn by us, texts escaped
    page = environment.get_template("report.html.j2").render(
        f=figures, charts=charts, source=source, made_at=made_at, span_of_days=span_of_days(figures),
        values_drawn=VALUES_DRAWN, survival_s=SURVIVAL_DRAWN_S, slow=texts.span(SLOW_MS),
        scripts=scripts(specs) if is_interactive else None,
    )  # fmt: skip
    return f"{page.strip()}\n"


def span_of_days(figures: Figures) -> str:
    """The first and the last received date; what has none is said, too."""
    dated = [day for day in figures.days if day != UNKNOWN_DATE]
    if not dated:
        return "no dated events"
    undated = ", and events without a date" if UNKNOWN_DATE in figures.days else ""
    return f"{texts.day_range(dated)}{undated}"


def main(argv: Sequence[str]) -> None:
    """The command."""
    parser = job_parser(
        "report",
        "Write one self-contained HTML page about an output: where every event went, acceptance and persistence, "
        "latency, errors, redactions, freshness, and what is protected. It opens without a network, runs no script, "
        "and prints well.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument("--to", required=True, metavar="FILE", help="The page, .html; a local path or a URL.")
    parser.add_argument("--interactive", action="store_true",
                        help="Charts tell their figures under a pointer: Vega-Embed is put into the page, 0.9 MB, "
                        "and is all that its policy lets run. Default: drawn charts and no script.")  # fmt: skip
    add_date(parser)
    add_min_installations(parser)
    add_arms(parser)
    args = parser.parse_args(list(argv))
    if not args.to.endswith(".html"):
        raise InvalidOptions(f"--to {args.to}: allowed is a .html file")
    assignment = assignment_of(args.arms, args.arm_shares, args.arm_ids_by)
    days = args.date or existing_days(args.datasets)
    figures = gather_figures(args.datasets, days, args.min_installations, assignment)
    page = render(figures, args.datasets.path, datetime.now(UTC), args.interactive)
    storage.write_atomic(args.to, page.encode())
    print(f"{args.to}: {len(page.encode()) // 1024} KB, {span_of_days(figures)}")


if __name__ == "__main__":
    run_job(main)
