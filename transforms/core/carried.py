"""Columns that travel beside the fields of an event: between decoding and protecting, and into the shuffle."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

from schemas.manifests import KEEP, ORGANIZATION, PERSON, SCRUB
from transforms.core.times import date_of, days_of

LEVEL, SNIPPET_CONSENT, CLIENT_IP = "_level", "_snippet_consent", "_client_ip"
USER = "_user"
"""Columns that travel from decoding to protecting and no further. USER is the raw id of the user in datasets that have
no column for it: all rows of an event must have one sender.
"""

DECLARED = {KEEP: "_kept", SCRUB: "_scrubbed", PERSON: "_of_person", ORGANIZATION: "_of_organization"}
"""Treatment of declared properties -> the column of maps in which they travel, as those before."""

SLOT = "slot_code"
"""Where a person belongs among the slots of an output, by a keyed digest. A run's buckets hold whole slots.

In files it stands masked: see `transforms.core.output.landing`.
"""


def month_column(times: pa.Array) -> pa.DictionaryArray:
    """YYYY-MM of each time, in UTC."""
    days, codes = np.unique(days_of(times), return_inverse=True)
    months = pa.array([f"{date_of(day):%Y-%m}" for day in days], pa.string())
    return months.take(pa.array(codes)).dictionary_encode()


def month_begin(month: str) -> datetime:
    """The first moment of a month, YYYY-MM."""
    return datetime.fromisoformat(f"{month}-01T00:00:00+00:00")


def month_before(month: str) -> str:
    """The month before one, both YYYY-MM."""
    return f"{month_begin(month) - timedelta(days=1):%Y-%m}"


def month_after(day: date) -> str:
    """The month, YYYY-MM, after the one in which a day lies."""
    return f"{day.replace(day=1) + timedelta(days=31):%Y-%m}"


def slot_of(digest: bytes, slots: int) -> int:
    """A keyed digest -> one of an output's slots, evenly."""
    return int.from_bytes(digest[:8], "big") % slots
