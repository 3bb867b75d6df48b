"""Proofs of ledger rows: the same for the same row, however it was written and read, and for no other one."""

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.keys.proofs import RowProof

PROOF = RowProof(b"k" * 32)
ROW = {"input": "a", "events": 3, "rows": [("displays", 1), ("errors", 2)], "at": datetime(2026, 3, 29, tzinfo=UTC)}
SCHEMA = pa.schema({
    "input": pa.string(), "events": pa.int64(), "rows": pa.map_(pa.string(), pa.int64()),
    "at": pa.timestamp("us", "UTC"), "later": pa.string(), "proof": pa.string(),
})  # fmt: skip


def test_a_row_that_was_written_and_read_has_its_proof() -> None:
    made = pa.Table.from_pylist([ROW], schema=SCHEMA).to_pylist()[0]
    made["proof"] = PROOF.of(made)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([made], schema=SCHEMA), out)
    assert PROOF.holds(pq.ParquetFile(out).read().to_pylist()[0])
    assert PROOF.of(ROW) == PROOF.of({**ROW, "later": None, "proof": "x"})


@given(st.sampled_from([*ROW]), st.one_of(st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)))
def test_no_other_row_has_it(name: str, value: object) -> None:
    if value != ROW[name]:
        assert PROOF.of({**ROW, name: value}) != PROOF.of(ROW)
    assert not RowProof(b"x" * 32).holds({**ROW, "proof": PROOF.of(ROW)})
    assert not PROOF.holds(ROW)


def test_its_key_does_not_leave_the_process() -> None:
    import pickle

    with pytest.raises(TypeError):
        pickle.dumps(PROOF)
