"""docs/keys.md: its commands run one after the other, and do what the page says."""

import json
import re
from pathlib import Path

from tests.conftest import sample, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.wrapping_keys import VARIABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "keys.md").read_text()


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    names = ("displays/pass/ghostText.shown", "snippets/pass/engine.completion")
    write_lines(tmp_path / "raw" / "raw.ndjson", [sample(name) for name in names])
    printed = ""
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
        printed += done.stdout
    assert "role completions, reader alice" in printed
    assert "would destroy the keys of 2026-02 for ever" in printed
    assert "destroyed the keys of 2026-02" in printed
    assert "would remove the keys of 2026-04 where they are known to be" in printed
    assert "destroyed: 2026-02\n" in printed
    assert (
        "2026-04 are gone from the key ring and from each key file that was shown; not proven to be destroyed"
        in printed
    )
    assert "chain output goes on under the key" in printed
    assert "in place of the key" in printed
    assert "return w * h" in (tmp_path / "code.jsonl").read_text()
    assert "2026-02" not in load_private(f"{tmp_path}/alice.json").keys
    assert {"wrapped_key", "document"} < {*json.loads((tmp_path / "keys" / "ring.json").read_text())}


def test_what_the_page_names_is_so(tmp_path: Path) -> None:
    assert VARIABLE in PAGE
    for program in re.findall(r"\(keys/([\w.]+)\)", PAGE):
        assert (ROOT / "docs" / "keys" / program).stat().st_mode & 0o100
    assert keyring.RING_FILE in PAGE
