"""Pseudonyms against RFC 2104 and RFC 5869 written down a second time, and what keeps people apart."""

import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from schemas.registry import event_schemas, load
from transforms.core.keys import pseudonym_columns
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer, hex_column, sent_ids, translated
from transforms.core.keys.pseudonyms import (
    CORRELATION_DOMAINS,
    PERSON_DOMAINS,
    PSEUDONYM_BYTES,
    Pseudonymizer,
    deciphered,
    derive_key,
    domain_key,
    enciphered,
    landing_key,
    sent_key,
)
from transforms.core.keys.step_keys import PseudonymKeys, step_keys_of

KEY = bytes(range(32))
TEXTS = st.text(alphabet=st.characters(), max_size=40)  # lone surrogates, too: clients send halves of characters


def hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 for 32 bytes without salt: extract with zeros, one block of expand."""
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def test_second_opinion_gives_the_answer_of_rfc_5869_case_3() -> None:
    assert hkdf(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


@given(st.binary(min_size=32, max_size=32), st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"])))
def test_keys_are_derived_as_the_rfc_says(secret: bytes, purpose: str) -> None:
    assert derive_key(secret, purpose) == hkdf(secret, purpose.encode())
    assert domain_key(secret, purpose) == derive_key(secret, f"pseudonym/{purpose}")


@given(st.binary(min_size=32, max_size=32), TEXTS)
def test_a_pseudonym_is_the_first_half_of_the_hmac(key: bytes, text: str) -> None:
    expected = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:16]
    assert Pseudonymizer(key).of(text) == expected


def test_hmac_answers_of_rfc_4231_truncated() -> None:
    """Cases 1 and 2: keys of 20 and of 4 bytes, padded to a block as ours of 32 are."""
    assert Pseudonymizer(b"\x0b" * 20).of("Hi There").hex() == "b0344c61d8db38535ca8afceaf0bf12b"
    assert Pseudonymizer(b"Jefe").of("what do ya want for nothing?").hex() == "5bdcc146bf60754e6a042426089575c7"


def test_one_pseudonymizer_answers_the_same_however_often_it_was_asked() -> None:
    pseudonymizer = Pseudonymizer(KEY)
    first = [pseudonymizer.of(text) for text in ("a", "b", "")]
    assert [pseudonymizer.of(text) for text in ("a", "b", "")] == first
    assert len({*first}) == 3


def test_a_fixed_answer_that_every_later_version_must_give() -> None:
    """Datasets are joined over years: made with openssl, `openssl kdf HKDF` and `openssl dgst -hmac`."""
    key = hkdf(KEY, b"pseudonym/installation")
    expected = hmac.new(key, b"machine", hashlib.sha256).hexdigest()[:32]
    assert expected == "dcf9f2baf04659011dd8dab82a6dcc0c"
    assert Pseudonymizer(domain_key(KEY, "installation")).of("machine").hex() == expected


def test_cipher_answer_of_fips_197() -> None:
    """Appendix C.3: AES-256."""
    plain, cipher = (bytes.fromhex(t) for t in ("00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089"))
    assert enciphered(KEY, plain) == cipher
    assert deciphered(KEY, cipher) == plain
    assert enciphered(KEY, plain * 3) == cipher * 3


def test_a_fixed_id_that_every_later_version_must_put_into_files() -> None:
    """Made with openssl, `openssl kdf HKDF`, `openssl dgst -hmac` and `openssl enc -aes-256-ecb -nopad`."""
    month, correlation = bytes(range(32, 64)), KEY
    assert landing_key(month, "event") == hkdf(month, b"landing/event")
    plain = Pseudonymizer(domain_key(correlation, "event")).of("8f1d7a52")
    assert plain.hex() == "74689dd82fd13e6be7a3a22e1bcbbc61"
    assert enciphered(landing_key(month, "event"), plain).hex() == "ed86ca7facf299e36a0f2fe53b5e9cb0"


def test_a_fixed_id_of_a_sender_that_every_later_version_must_give() -> None:
    """Made with openssl, `openssl kdf HKDF` and `openssl dgst -mac HMAC`: the sender under the key of buckets, and under
    the domain's key these 16 bytes and then the id.
    """
    bucket_key = domain_key(derive_key(KEY, "bucket"), "installation")
    sender = Pseudonymizer(bucket_key).of("machine")
    assert sender.hex() == "54617ee1a18f90dcb3702b2e13e23088"
    sent = sent_ids(pa.array([sender], pa.binary(16)), pa.array(["d2b1"]))
    made = ColumnPseudonymizer(sent_key(KEY, "suggestion"), remembers=True).column(sent)
    assert made[0].as_py().hex() == "cea3252f13c30d4cbab2fdd5511fdcd2"
    assert hmac.new(hkdf(KEY, b"sent/suggestion"), sender + b"d2b1", hashlib.sha256).digest()[:16] == made[0].as_py()


SENT = st.tuples(
    st.sampled_from([b"a" * 16, b"b" * 16, b"a" * 15 + b"1"]), st.none() | st.sampled_from(["", "1", "a", "1a", "ä"])
)


@given(st.lists(SENT, max_size=12), st.integers(0, 3))
def test_no_two_pairs_of_sender_and_id_are_digested_alike(pairs: list[tuple[bytes, str | None]], cut: int) -> None:
    senders, ids = ([pair[n] for pair in pairs] for n in (0, 1))
    made = sent_ids(pa.array(senders, pa.binary(16))[cut:], pa.array(ids, pa.string())[cut:]).to_pylist()
    expected = [None if raw is None else sender + raw.encode() for sender, raw in pairs[cut:]]
    assert made == expected
    assert len({*made} - {None}) == len({pair for pair in pairs[cut:] if pair[1] is not None})


@given(st.lists(st.binary(min_size=16, max_size=16)), st.binary(min_size=32, max_size=32))
def test_enciphering_is_a_permutation(ids: list[bytes], key: bytes) -> None:
    made = enciphered(key, b"".join(ids))
    assert deciphered(key, made) == b"".join(ids)
    assert len({made[n : n + 16] for n in range(0, len(made), 16)}) == len({*ids})


@given(st.lists(st.none() | st.binary(min_size=16, max_size=16), max_size=20), st.integers(0, 5), st.integers(0, 20))
def test_columns_are_translated_also_of_a_slice(values: list[bytes | None], start: int, length: int) -> None:
    texts = pa.array([None if v is None else v.hex() for v in values], pa.string())
    for column in (texts, texts[start : start + length], hex_column(pa.array(values, pa.binary(16)))):
        made = translated(column, lambda data: bytes(255 - byte for byte in data))
        made.validate(full=True)
        flipped = (None if t is None else bytes(255 - byte for byte in bytes.fromhex(t)) for t in column.to_pylist())
        assert made.to_pylist() == [None if v is None else v.hex() for v in flipped]


@given(st.lists(st.none() | TEXTS.filter(lambda t: t.isprintable()), max_size=30), st.booleans(), st.integers(0, 5))
def test_a_column_is_its_values_one_by_one(texts: list[str | None], remembers: bool, start: int) -> None:
    columns, single = ColumnPseudonymizer(KEY, remembers=remembers), Pseudonymizer(KEY)
    for values in (pa.array(texts, pa.string()), pa.array(texts, pa.string())[start:]):
        expected = [None if t is None else single.of(t) for t in values.to_pylist()]
        for _ in range(2):
            made = columns.column(values)
            assert made.type == pa.binary(PSEUDONYM_BYTES)
            assert made.to_pylist() == expected


@given(st.lists(st.none() | st.binary(min_size=16, max_size=16), max_size=20), st.integers(0, 5), st.integers(0, 20))
def test_hex_columns_are_hex_also_of_a_slice(values: list[bytes | None], start: int, length: int) -> None:
    whole = pa.array(values, pa.binary(16))
    for column in (whole, whole[start : start + length]):
        made = hex_column(column)
        made.validate(full=True)
        assert made.to_pylist() == [None if v is None else v.hex() for v in column.to_pylist()]


def test_memory_is_emptied_between_batches_and_never_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonym_columns, "_MOST_REMEMBERED", 10)
    columns, single = ColumnPseudonymizer(KEY, remembers=True), Pseudonymizer(KEY)
    for batch in range(4):
        texts = [f"{batch}-{number}" for number in range(15)]
        assert columns.column(pa.array(texts)).to_pylist() == [single.of(t) for t in texts]
        assert len(columns._known or ()) == 15
    assert ColumnPseudonymizer(KEY, remembers=False)._known is None


@pytest.fixture(scope="module")
def pseudonyms(ring: KeyRing) -> PseudonymKeys:
    return step_keys_of(ring).pseudonyms


def test_every_domain_of_the_contract_has_a_key(pseudonyms: PseudonymKeys) -> None:
    domains = {f.pseudonym_domain for s in event_schemas().values() for f in s.fields} - {None}
    assert domains <= PERSON_DOMAINS | CORRELATION_DOMAINS
    assert not PERSON_DOMAINS & CORRELATION_DOMAINS
    assert {f.pseudonym_domain for f in load("suggestions").fields} - {None} <= domains
    for domain in PERSON_DOMAINS | CORRELATION_DOMAINS:
        assert (domain in PERSON_DOMAINS) is (domain in pseudonyms.person_keys["2026-03"])
        assert (domain in CORRELATION_DOMAINS) is (domain in pseudonyms.sent_keys)
        assert (domain in CORRELATION_DOMAINS) is (domain in pseudonyms.unsent_keys)
    with pytest.raises(KeyError):
        pseudonyms.pseudonymizer("bucket", "2026-03")


def test_no_two_domains_and_no_two_months_of_a_person_meet(pseudonyms: PseudonymKeys, ring: KeyRing) -> None:
    made = [pseudonyms.pseudonymizer(d, m).of("x") for d in PERSON_DOMAINS for m in ring.epochs]
    made += [
        pseudonyms.id_pseudonymizer(d, has_sender=has).of("x") for d in CORRELATION_DOMAINS for has in (True, False)
    ]
    made.append(pseudonyms.bucketer().of("x"))
    assert len({*made}) == len(made) > 20


def test_what_joins_across_months_and_what_chooses_buckets_stays(pseudonyms: PseudonymKeys, ring: KeyRing) -> None:
    for domain in CORRELATION_DOMAINS:
        unsent = pseudonyms.id_pseudonymizer(domain, has_sender=False).of("x")
        assert unsent == Pseudonymizer(domain_key(ring.correlation, domain)).of("x")
        sent = pseudonyms.id_pseudonymizer(domain).of("x")
        assert sent == Pseudonymizer(sent_key(ring.correlation, domain)).of("x")
    bucket_key = derive_key(ring.correlation, "bucket")
    assert pseudonyms.bucketer().of("x") == Pseudonymizer(domain_key(bucket_key, "installation")).of("x")


def test_only_events_ids_are_not_remembered(pseudonyms: PseudonymKeys) -> None:
    for domain in PERSON_DOMAINS:
        assert pseudonyms.pseudonymizer(domain, "2026-03")._known is not None
    for domain in CORRELATION_DOMAINS:
        assert (pseudonyms.id_pseudonymizer(domain)._known is not None) is (domain != "event")


def test_months_without_a_key_say_what_to_do() -> None:
    ring = KeyRing(KEY, KEY[::-1], destroyed=["2026-01"])
    empty = step_keys_of(ring).pseudonyms
    with pytest.raises(KeyUnavailable, match=r"no key for epoch 2026-02 \(the ring has none\).* --through 2026-02"):
        empty.pseudonymizer("user", "2026-02")
    with pytest.raises(KeyUnavailable, match="the key of epoch 2026-01 is gone"):
        empty.pseudonymizer("user", "2026-01")
    ring.add_month("2026-03")
    ring.add_month("2026-05")
    with pytest.raises(KeyUnavailable, match=r"the ring has 2026-03 to 2026-05"):
        step_keys_of(ring).pseudonyms.pseudonymizer("user", "2026-04")
