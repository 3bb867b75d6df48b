"""Scripts of the interactive page: what is in them cannot end them, and the policy names exactly them."""

import base64
import hashlib
import json

from pipelines.reporting.charts import counts
from pipelines.reporting.interactive import scripts

BAD = "</script><script>alert(1)</script><!-- & \u2028"


def test_no_name_ends_the_script_that_it_stands_in_and_it_is_read_back() -> None:
    made = scripts({"x": counts([(BAD, 1)], "of anything")})
    text = str(made.specs["x"])
    assert not {"<", ">", "&"} & {*text}
    assert BAD in {row["told"].removesuffix(": 1") for row in json.loads(text)["layer"][0]["data"]["values"]}


def test_the_policy_names_both_scripts_by_their_hashes_and_lets_nothing_be_evaluated() -> None:
    made = scripts({})
    found = [base64.b64encode(hashlib.sha256(str(s).encode()).digest()).decode() for s in (made.library, made.start)]
    assert made.policy == f"script-src 'sha256-{found[0]}' 'sha256-{found[1]}'"
    assert "</script" not in made.library.lower()
