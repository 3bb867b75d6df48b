"""How far the receive times of an output have come: what was over then is over for payloads that land later, too."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.registry import EVENT_DATASETS
from transforms.core import storage
from transforms.core.output.layout import Listing
from transforms.core.times import UNKNOWN_DATE


def latest_received_us(listing: Listing) -> int | None:
    """The latest receive time of all events that landed, in microseconds since 1970; None where none did.

    Reads one column of the files of each dataset's last day.
    """
    latest = [_latest_of(listing, dataset) for dataset in EVENT_DATASETS]
    return max((time_us for time_us in latest if time_us is not None), default=None)


def _latest_of(listing: Listing, dataset: str) -> int | None:
    for day in reversed(listing.days(dataset)):
        files = [*listing.files(dataset, days=[day])] if day != UNKNOWN_DATE else []
        if files:
            return max(_latest_in(file.path) for file in files)
    return None


def _latest_in(path: str) -> int:
    with storage.open_read(path) as file:
        times = pq.ParquetFile(file).read(columns=["received_at"])["received_at"]
    return int(pc.max(times.cast(pa.int64())).as_py() or 0)
