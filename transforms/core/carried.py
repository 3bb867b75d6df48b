"""Columns that travel beside the fields of an event: between decoding and protecting, and into the shuffle."""

import numpy as np
import pyarrow as pa

from schemas.manifests import KEEP, ORGANIZATION, PERSON, SCRUB
from transforms.core.times import date_of, days_of

LEVEL, SNIPPET_CONSENT, CLIENT_IP = "_level", "_snippet_consent", "_client_ip"
"""Columns that travel from decoding to protecting and no further."""

DECLARED = {KEEP: "_kept", SCRUB: "_scrubbed", PERSON: "_of_person", ORGANIZATION: "_of_organization"}
"""Treatment of declared properties -> the column of maps in which they travel, as those before."""

BUCKET = "bucket"
"""The part of the output, by person, that a row belongs to: the key of the shuffle."""


def month_column(times: pa.Array) -> pa.DictionaryArray:
    """YYYY-MM of each time, in UTC."""
    days, codes = np.unique(days_of(times), return_inverse=True)
    months = pa.array([f"{date_of(day):%Y-%m}" for day in days], pa.string())
    return months.take(pa.array(codes)).dictionary_encode()


def bucket_of(digest: bytes, buckets: int) -> int:
    """A keyed digest -> one of `buckets` buckets, evenly."""
    return int.from_bytes(digest[:8], "big") % buckets
