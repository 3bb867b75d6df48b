"""The order of a file's rows. It is total, so that the same rows give the same bytes, and readers may rely on it."""

from schemas.registry import SUGGESTIONS, load

_KEYS = ("installation_id", "session_id", "occurred_at", "event_id", "payload_id", "received_at")
_OF_SUGGESTIONS = ("installation_id", "session_id", "displayed_at", "suggestion_id", "first_received_at")


def sort_keys(dataset: str) -> list[str]:
    """The columns by which a dataset's rows are sorted, ascending, nulls last; none where nothing needs an order."""
    if dataset == SUGGESTIONS:
        return [*_OF_SUGGESTIONS]
    names = load(dataset).arrow.names
    return [name for name in _KEYS if name in names]
