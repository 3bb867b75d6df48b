"""The chain of manifests: appended to by its holder alone, and never by who cannot sign."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import KeyUnavailable, OutputInUse, StorageRefused
from transforms.core.chains.chain import OUTPUT_CHAIN, Chain, begin_chain, chain_to_append, put_file, record_change
from transforms.core.chains.chain_files import last_number, path_of
from transforms.core.chains.run_manifest import digest_of, read_signed
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, PUBLIC_KEY_FILE, Output, claim_of

SIGNER, ANOTHER = Signer(b"s" * 31 + b"1"), Signer(b"s" * 31 + b"2")
DAY = "displays/received_date=2026-03-29"


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    (tmp_path / DAY).mkdir(parents=True)
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / DAY / "a-0000of0001.parquet")
    begun = Output(str(tmp_path))
    begin_chain(begun, SIGNER).append("begin", [put_file(begun, OUTPUT_FILE)])
    return Output(str(tmp_path))


def test_a_change_is_signed_with_size_rows_and_digest_of_what_lies_there(output: Output) -> None:
    path = f"{DAY}/a-0000of0001.parquet"
    told = record_change(output, SIGNER, "compact", [path], [f"{DAY}/b.parquet", path], {"files": 2})
    data = Path(output.beside(path_of(OUTPUT_CHAIN, 2))).read_bytes()
    manifest = read_signed(data, SIGNER.public_key)
    assert (manifest.number, manifest.kind, manifest.facts) == (2, "compact", {"files": 2})
    assert manifest.before == digest_of(Path(output.beside(path_of(OUTPUT_CHAIN, 1))).read_bytes())
    assert told == f"2:{digest_of(data)}"
    file = put_file(output, path)
    assert (file.rows, file.size_bytes) == (3, Path(output.beside(path)).stat().st_size)
    assert manifest.put == [put_file(output, OUTPUT_FILE), file]
    assert manifest.removed == [f"{DAY}/b.parquet"]


def test_the_same_change_again_adds_nothing(output: Output) -> None:
    path = f"{DAY}/a-0000of0001.parquet"
    first = record_change(output, SIGNER, "erase", [path], [], {"rows": 1})
    assert record_change(output, SIGNER, "erase", [path], [], {"rows": 1}) == first
    assert record_change(output, SIGNER, "erase", [path], [], {"rows": 2}) != first
    assert last_number(output, OUTPUT_CHAIN) == 3


def test_nothing_is_signed_where_nothing_was(tmp_path: Path) -> None:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    assert record_change(Output(str(tmp_path)), SIGNER, "erase", [], [], {}) is None
    assert record_change(Output(str(tmp_path)), None, "erase", [], [], {}) is None
    assert not (tmp_path / "runs").exists()


def test_what_is_signed_is_not_changed_without_a_key(output: Output) -> None:
    with pytest.raises(KeyUnavailable, match="is signed, and what is changed there must be"):
        record_change(output, None, "erase", [], [], {})


def test_nothing_is_added_to_a_chain_of_another_key(output: Output) -> None:
    with pytest.raises(StorageRefused, match="signed with another key"):
        record_change(output, ANOTHER, "erase", [], [], {})


@pytest.mark.parametrize("position", [0, 20, -3, -60])
def test_nothing_is_added_to_a_chain_whose_end_was_altered(output: Output, position: int) -> None:
    path = Path(output.beside(path_of(OUTPUT_CHAIN, 1)))
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageRefused, match="nothing is added to a chain that does not hold"):
        record_change(output, SIGNER, "erase", [], [], {})


def test_a_dataset_with_a_claim_of_its_own_has_a_chain_of_its_own(output: Output) -> None:
    path, claim = "acceptance/received_date=2026-03-29/acceptance.parquet", claim_of("acceptance")
    Path(output.beside(path)).parent.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), output.beside(path))
    assert record_change(output, None, "metrics", [path], [], {}, claim) is None
    assert str(record_change(output, SIGNER, "metrics", [path], [], {}, claim)).startswith("1:")
    main, own = Chain(output, SIGNER), Chain(output, SIGNER, "acceptance")
    assert main.head
    assert own.head
    assert (main.number, own.number, own.head.put) == (1, 1, [put_file(output, path)])
    assert own.head.output == main.head.output
    with pytest.raises(KeyUnavailable):
        record_change(output, None, "metrics", [path], [], {}, claim)


def test_of_two_who_write_the_same_number_one_is_refused(output: Output) -> None:
    first, second = Chain(output, SIGNER), Chain(output, SIGNER)
    first.append("batch", [])
    with pytest.raises(OutputInUse, match="manifest 2 was written by another run"):
        second.append("batch", [])


def test_a_chain_is_read_backwards_and_streams_are_handed_on(output: Output) -> None:
    from transforms.core.chains.chain import Told

    chain = chain_to_append(output, SIGNER)
    assert chain
    for number in range(150):
        chain.append("window", [], told=Told(streams={"a": number} if number % 2 else {"b": number}))
    again = Chain(output, SIGNER)
    assert [m.number for m in again.backwards()] == [*range(151, 0, -1)]
    assert again.head
    assert again.head.streams == {"a": 149, "b": 148}


def test_the_public_key_lies_beside_and_is_never_replaced(output: Output) -> None:
    before = Path(output.beside(PUBLIC_KEY_FILE)).read_bytes()
    begin_chain(output, SIGNER)
    assert Path(output.beside(PUBLIC_KEY_FILE)).read_bytes() == before
