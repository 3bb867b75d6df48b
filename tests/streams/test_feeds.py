"""The endless feed of benches and demos: what it gives is what clients send."""

import json
from pathlib import Path

from tests.support.feeds import Feed, templates
from transforms.core.decoding.envelopes import decode_event, wire_name


def test_every_round_has_ids_of_its_own_and_nothing_else_changes(tmp_path: Path) -> None:
    made = templates(tmp_path / "day", 300, with_rubbish=False)
    first, second = ([t.of_round(n) for t in made] for n in (0, 1))
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other)
        assert wire_name(decode_event(one)) == wire_name(decode_event(other))
    ids = [
        {json.loads(v)["data"]["baseData"]["properties"].get("unique_id") for v in values} for values in (first, second)
    ]
    assert len(ids[0]) == len(ids[1]) > 150
    assert ids[0] & ids[1] <= {None}
    assert len(list(Feed(made, 1e9, 1000))) == 1000
