"""Which facts may be of one life: the id that they share."""

import pyarrow as pa
import pyarrow.compute as pc

LIFE_ID = "life_id"
"""A column beside those of the datasets, which no file has."""


def life_ids(rows: pa.RecordBatch) -> pa.Array:
    """The id under which a row's life is looked for; null where the row names none.

    A suggestion's own id. A next edit's opportunity, because its checks name nothing else: of the next edits of one
    opportunity the lives begin and end together, and `by_provider` tells them apart.
    """
    own = rows["suggestion_id"]
    if "kind" not in rows.schema.names:
        return own
    is_next_edit = pc.equal(rows["kind"], "next_edit").fill_null(False)
    if not pc.any(is_next_edit).as_py():
        return own
    return pc.if_else(is_next_edit, pc.coalesce(rows["opportunity_id"], own), own)


def with_life_ids(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with the column LIFE_ID at the end."""
    return rows.append_column(pa.field(LIFE_ID, pa.string()), life_ids(rows))


def is_ghost_text(kinds: pa.Array) -> pa.Array:
    """Whether each of the kinds is ghost text; so is what landed before there were kinds."""
    return pc.is_in(kinds, pa.array(["ghost_text", None], pa.string()))
