"""Every dataset whose files a run writes has a total order, by columns that it has."""

import pytest

from schemas.registry import load
from transforms.core.output.layout import DATA_DATASETS, LEDGER
from transforms.core.output.order import sort_keys


@pytest.mark.parametrize("dataset", DATA_DATASETS)
def test_keys_are_columns_and_end_in_what_tells_rows_apart(dataset: str) -> None:
    keys = sort_keys(dataset)
    assert {*keys} <= {*load(dataset).arrow.names}
    assert {*keys[-2:]} & {"event_id", "payload_id", "suggestion_id"}
    assert keys[0] == ("payload_id" if dataset == "quarantine" else "installation_id")


def test_one_row_needs_no_order() -> None:
    assert sort_keys(LEDGER) == []
