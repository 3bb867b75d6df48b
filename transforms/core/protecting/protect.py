"""Unprotected columns of one dataset -> what may be kept.

The order is: withhold fields above the user's level, geolocate and drop the address, replace words that are not
known, scrub free text and code, pseudonymize. After `Protector.protect` only the code needs protection; it is encrypted
when it is written.
"""

from collections import Counter
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import LISTED, Field
from schemas.known_values import PACKAGED, Vocabulary
from schemas.registry import EXTENSION_EVENTS, FORMER, LEVELS, Schema, load
from transforms.core.carried import CLIENT_IP, LEVEL, SLOT, SNIPPET_CONSENT, USER, month_column, slot_of
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer, hex_column, sent_ids
from transforms.core.keys.pseudonyms import PERSON_DOMAINS, PSEUDONYM_BYTES
from transforms.core.keys.step_keys import PseudonymKeys
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.properties import land_properties
from transforms.core.protecting.scrub import CODE, ERRORS, scrub_column
from transforms.core.protecting.words import Words

_LONGEST_OVERLAP = timedelta(days=27)
"""An event is of its own month or of the one before, never of an earlier one, however long the lookback is."""

_MOST_PSEUDONYMIZERS = 64
_PERSON = ("installation_id", "session_id", "user_id", USER, "event_id")


class Protected(NamedTuple):
    """A batch in `Schema.sealed_arrow`, and what was taken out of it."""

    batch: pa.RecordBatch
    withheld_fields: Counter[str]
    scrubbed: Counter[str]
    unknown_values: Counter[str]


class Protector:
    """Protects batches with the keys and the geo database of a worker. It is made in `setup` and never pickled.

    What is received within `overlap` after a month's begin gets its person's ids of the month before, too. Ids of
    events and suggestions depend on their sender from the month `sender_from` on.
    """

    def __init__(
        self, keys: PseudonymKeys, geo: GeoDatabase, slots: int, vocabulary: Vocabulary = PACKAGED,
        overlap: timedelta = timedelta(0), sender_from: str = "",
    ) -> None:  # fmt: skip
        self._keys = keys
        self._sender_from = sender_from
        self._geo = geo
        self._geo_date = geo.build_date
        self._slots = slots
        self._overlap = min(overlap, _LONGEST_OVERLAP)
        self._words = Words(vocabulary)
        self._pseudonymizers: dict[tuple[str, str], ColumnPseudonymizer] = {}
        self._id_pseudonymizers: dict[tuple[str, bool], ColumnPseudonymizer] = {}
        self._bucketer = keys.bucketer()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def protect(self, dataset: str, raw: pa.RecordBatch) -> Protected:
        """Raises KeyUnavailable where the ring has no key for a month in which an event was received."""
        schema = load(dataset)
        columns = dict(zip(raw.schema.names, raw.columns, strict=True))
        senders, slots = self._senders(columns)
        withheld, scrubbed, unknown = Counter[str](), Counter[str](), Counter[str]()
        withhold_fields(schema, columns, withheld)
        self._geolocate(schema, columns)
        land_words(schema, columns, unknown, self._words)
        redactions = scrub_fields(schema, columns, scrubbed)
        if dataset == EXTENSION_EVENTS:
            redactions += land_properties(columns, scrubbed, unknown, self._pseudonyms_of)
        self._pseudonymize(schema, columns, senders)
        columns |= self._facts(schema, redactions, raw.num_rows) | {SLOT: slots}
        columns |= _lengths(schema, columns)
        target = schema.sealed_arrow
        arrays = [columns[name] for name in target.names]
        return Protected(pa.RecordBatch.from_arrays(arrays, schema=target), withheld, scrubbed, unknown)

    def _senders(self, columns: dict[str, pa.Array]) -> tuple[pa.Array, pa.Array]:
        """The 16 bytes that stand for each row's sender, and the sender's slot.

        The sender is the installation; without one the session, the user or the event. It is found before fields are
        withheld, so that duplicates of an event meet whatever level each came with.
        """
        person = pc.coalesce(*(columns[name] for name in _PERSON if name in columns))
        coded = person.cast(pa.binary()).dictionary_encode()
        digests = self._bucketer.of_distinct(coded.dictionary.to_pylist())
        slots = [slot_of(digest, self._slots) for digest in digests]
        senders = pa.array(digests, pa.binary(PSEUDONYM_BYTES)).take(coded.indices)
        return senders, pa.array(slots, pa.int32()).take(coded.indices)

    def _geolocate(self, schema: Schema, columns: dict[str, pa.Array]) -> None:
        addresses = columns.pop(CLIENT_IP)
        if any(f.treatment == "geolocate" for f in schema.fields):
            columns |= self._geo.columns(addresses)

    def _pseudonymize(self, schema: Schema, columns: dict[str, pa.Array], senders: pa.Array) -> None:
        months = month_column(columns["received_at"])
        columns["key_id"] = months.cast(pa.string())
        columns |= self._former(schema, columns)
        has_sender = pc.greater_equal(columns["key_id"], self._sender_from)
        for field in schema.fields:
            domain = field.pseudonym_domain
            if domain in PERSON_DOMAINS:
                columns[field.name] = self._by_epoch(domain, columns[field.name], months)
            elif domain is not None:
                columns[field.name] = self._ids(domain, columns[field.name], senders, has_sender)

    def _ids(self, domain: str, ids: pa.Array, senders: pa.Array, has_sender: pa.Array) -> pa.Array:
        """Ids of a correlation domain, with their sender where the mask says so."""
        if pc.all(has_sender).as_py():
            return self._id_pseudonymizer(domain, has_sender=True).column(sent_ids(senders, ids))
        sent = sent_ids(senders, pc.if_else(has_sender, ids, None))
        made = self._id_pseudonymizer(domain, has_sender=True).column(sent)
        unsent = pc.if_else(has_sender, None, ids)
        return pc.coalesce(made, self._id_pseudonymizer(domain, has_sender=False).column(unsent))

    def _former(self, schema: Schema, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """The columns of `Schema.former`; null in rows from after the overlap, or whose former month has no key."""
        before = month_column(_earlier(columns["received_at"], self._overlap))
        texts = before.cast(pa.string())
        known = pa.array([month for month in before.dictionary.to_pylist() if self._keys.has(month)], pa.string())
        is_early = pc.and_(pc.not_equal(texts, columns["key_id"]), pc.is_in(texts, known))
        made = {f.name: pa.nulls(len(texts), f.type) for f in schema.former}
        if not made or not pc.any(is_early).as_py():
            return made
        months = pc.if_else(is_early, texts, None).dictionary_encode()
        for name, former in FORMER.items():
            if former in made and name == "key_id":
                made[former] = months.cast(pa.string())
            elif former in made and (domain := schema.field(name).pseudonym_domain):
                made[former] = self._by_epoch(domain, pc.if_else(is_early, columns[name], None), months)
        return made

    def _by_epoch(self, domain: str, values: pa.Array, months: pa.DictionaryArray) -> pa.Array:
        epochs = months.dictionary.to_pylist()
        if len(epochs) == 1:
            return self._pseudonymizer(domain, epochs[0]).column(values)
        made = pa.nulls(len(values), pa.binary(16))
        for index, epoch in enumerate(epochs):
            within = pc.equal(months.indices, index)
            part = self._pseudonymizer(domain, epoch).column(pc.if_else(within, values, None))
            made = pc.coalesce(made, part)
        return made

    def _pseudonyms_of(self, domain: str, values: pa.Array, times: pa.Array) -> pa.Array:
        return hex_column(self._by_epoch(domain, values, month_column(times)))

    def _pseudonymizer(self, domain: str, epoch: str) -> ColumnPseudonymizer:
        key = (domain, epoch)
        if key not in self._pseudonymizers:
            if len(self._pseudonymizers) >= _MOST_PSEUDONYMIZERS:  # an endless job sees month after month
                self._pseudonymizers.clear()
            self._pseudonymizers[key] = self._keys.pseudonymizer(domain, epoch)
        return self._pseudonymizers[key]

    def _id_pseudonymizer(self, domain: str, *, has_sender: bool) -> ColumnPseudonymizer:
        key = (domain, has_sender)
        if key not in self._id_pseudonymizers:
            self._id_pseudonymizers[key] = self._keys.id_pseudonymizer(domain, has_sender=has_sender)
        return self._id_pseudonymizers[key]

    def _facts(self, schema: Schema, redactions: np.ndarray, rows: int) -> dict[str, pa.Array]:
        return {
            "geo_database_date": pa.repeat(pa.scalar(self._geo_date, pa.date32()), rows),
            "schema_version": pa.repeat(pa.scalar(schema.version, pa.int32()), rows),
            "redaction_count": pa.array(redactions, pa.int32()),
        }


def _earlier(times: pa.Array, by: timedelta) -> pa.Array:
    return pc.subtract(times, pa.scalar(by, pa.duration("us")))


def needed_level(field: Field) -> int:
    """Index in LEVELS of what a field needs."""
    return LEVELS.index(field.level)


def withhold_fields(schema: Schema, columns: dict[str, pa.Array], withheld: Counter[str]) -> None:
    """Nulls every value above its user's level; counts them by the level they needed.

    The address is withheld from geolocation where geography is. Code needs
    level `all` and the account's consent.
    """
    levels = columns.pop(LEVEL)
    consent = columns.pop(SNIPPET_CONSENT)
    lowest = pc.min(levels).as_py()
    for field in schema.fields:
        needed = needed_level(field)
        name = CLIENT_IP if field.treatment == "geolocate" else field.name
        if name not in columns or (needed <= lowest and field.level != "snippet"):
            continue
        allowed = consent if field.level == "snippet" else pc.greater_equal(levels, needed)
        lost = pc.and_(columns[name].is_valid(), pc.invert(allowed))
        count = pc.sum(lost).as_py() or 0
        if count:
            withheld[field.level] += count
            columns[name] = pc.if_else(allowed, columns[name], pa.scalar(None, columns[name].type))


def land_words(schema: Schema, columns: dict[str, pa.Array], unknown: Counter[str], words: Words) -> None:
    """Replaces each text from the wire by a known value of its field, or by `other`, which is counted.

    Fields that were withheld are null by then, and are not counted. Of a list the known values land alone.
    """
    for field in schema.fields:
        if field.parse == LISTED:
            columns[field.name] = words.pick(field, columns[field.name])
        elif field.treatment == "keep" and field.sources and pa.types.is_string(field.type):
            columns[field.name] = words.land(field, columns[field.name], unknown)


def scrub_fields(schema: Schema, columns: dict[str, pa.Array], scrubbed: Counter[str]) -> np.ndarray:
    """Scrubs free text and code, value by value; returns how many spans each row lost."""
    redactions = np.zeros(len(columns["received_at"]), dtype=np.int32)
    for field in schema.fields:
        if not field.is_scrubbed or pa.types.is_map(field.type):
            continue
        is_code = field.role is not None
        scrubber = CODE if is_code else ERRORS
        columns[field.name], spans = scrub_column(columns[field.name], scrubber, scrubbed, is_json=is_code)
        if spans is not None:
            redactions += spans
    return redactions


def _lengths(schema: Schema, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    found = ((f.name, f.length_of) for f in schema.fields)
    return {name: pc.utf8_length(columns[of]).cast(pa.int64()) for name, of in found if of}
