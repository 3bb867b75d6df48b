"""Charts that answer a pointer: Vega-Embed inside the page, beside the drawn charts that it takes the place of.

The page asks no network for it, and its policy runs these two scripts and no other, known by their hashes. Expressions
are interpreted: nothing becomes code in the browser.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import vl_convert
from markupsafe import Markup

from pipelines.reporting.drawing import complete

_START = """
const refuse = () => Promise.reject(new Error("this page asks nothing of a network"));
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const spec = JSON.parse(document.getElementById("chart-" + figure.dataset.chart).textContent);
  const drawn = figure.querySelector(".drawing"), live = document.createElement("div");
  const loader = {load: refuse, sanitize: refuse, http: refuse, file: refuse};
  const options = {mode: "vega-lite", actions: false, renderer: "svg", ast: true, loader};
  live.className = "drawing";
  vegaEmbed(live, spec, options).then(() => drawn.replaceWith(live)).catch(error => console.error(String(error)));
}
"""


class Scripts(NamedTuple):
    """What stands in the page: the library, the script that starts the charts, their specifications, and the policy."""

    library: Markup
    start: Markup
    specs: dict[str, Markup]
    policy: str


def scripts(specs: Mapping[str, dict[str, Any]]) -> Scripts:
    """The scripts of a page with these charts."""
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in library.lower() or "<!--" in library:
        raise AssertionError("the library would end its own element")
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in (library, _START))
    return Scripts(
        Markup(library),  # noqa: S704 - as the package ships it
        Markup(_START),  # noqa: S704 - above
        {name: Markup(_as_text(complete(spec))) for name, spec in specs.items()},  # noqa: S704 - no markup is left in it
        f"script-src {hashes}",
    )


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _as_text(spec: dict[str, Any]) -> str:
    """JSON that no parser of HTML takes for markup."""
    return (
        json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    )
