"""Everything that a rate is made of, as rows of one table: `facts`.

A row is about one kind, or about ANY: errors, redactions and requests are of no kind, and people and their hours are
counted for each kind and for all together.
"""

import duckdb

from pipelines.rates.kinds import AGENT_EDIT, ANY, AT_THE_CURSOR, GHOST_TEXT, IN_WORDS, NEXT_EDIT, listed
from transforms.core.suggestions.persistence import CHECKS_S
from transforms.core.suggestions.survival import SURVIVAL_S

DIMENSIONS = ("language", "extension_version", "engine", "country")
"""In the order in which they are kept: the last one is given up first."""

_PLACE = f"{', '.join(DIMENSIONS)}, installation_id"
_WHO_AND_WHERE = f"received_date, kind, {_PLACE}"

_OF_GHOST_TEXT = "event_name like 'ghostText.%' or lower(coalesce(request_ui, 'ghostText')) = 'ghosttext'"
"""Requests of chats and of next edits come as `request.*`, too: they are no chance to show ghost text. Old clients do
not say where a request came from; theirs are all of ghost text."""

_FROM_A_REQUEST = f"""case kind
    when '{GHOST_TEXT}' then display_source in ('network', 'async')
    when '{NEXT_EDIT}' then not is_from_cache end"""
"""Whether the first display waited for an answer. One that is replayed (cache, typingAsSuggested, cycling) counts from
the request that once brought the text, which may be minutes ago."""

_RATIO = "decimal(18, 12)"
"""Sums of it are exact, so that they do not depend on the order in which threads add."""


def _first_traces(key: str, table: str, more: str) -> str:
    """The first event received of each key, unless the day before holds one: a key counts once for a kind and an
    installation, and a day needs only the day before it to be counted. Of an installation, so that what is counted of
    one never depends on what another sends, were it the same key.
    """
    of_key = f"partition by kind, installation_id, {key}"
    return f"""
        select {_WHO_AND_WHERE}, event_id as fact_id, {more} from (
            select *, row_number() over ({of_key}, received_date order by received_at, occurred_at, event_id) as nth,
                bool_or(coalesce(is_failure, false)) over ({of_key}, received_date) as has_failed
            from {table} where {key} is not null
        ) where nth = 1
        qualify lag(received_date) over ({of_key} order by received_date) is distinct from received_date - 1"""


_TRACED = f"""received_date, {_PLACE}, coalesce(opportunity_id, request_id) as opportunity, received_at, occurred_at,
    event_id, false as is_failure"""
_TRACES = f"""
    select {_TRACED}, if({_OF_GHOST_TEXT}, '{GHOST_TEXT}', '{ANY}') as kind from requests
    union all by name select {_TRACED}, coalesce(kind, '{GHOST_TEXT}') as kind from displays
    union all by name select {_TRACED}, coalesce(kind, '{GHOST_TEXT}') as kind from outcomes"""


def _measures() -> str:
    """What is left of a suggestion's text, by method and time."""
    states = [f"persistence_{s}s" for s in CHECKS_S] + [f"survival_{s}s" for s in SURVIVAL_S]
    ratios = [
        f"try_cast({method}_{s}s_ratio as {_RATIO}) as {method}_{s}s"
        for method in ("four_gram", "no_revert")
        for s in SURVIVAL_S
    ]
    chars = [f"if(original_chars > 0, retained_{s}s_chars, null) as retained_{s}s" for s in SURVIVAL_S]
    return ", ".join((*states, *ratios, *chars))


_SUGGESTIONS = f"""
    select {_WHO_AND_WHERE}, suggestion_id as fact_id, true as is_suggestion, display_count > 0 as is_shown,
        is_shown or kind in ({listed(IN_WORDS)}) as is_counted, display_count, outcome,
        is_counted and outcome in ('accepted', 'partially_accepted') as is_accepted,
        is_accepted or kind = '{AGENT_EDIT}' as is_followed,
        coalesce(is_typed_over, false) as is_disagreed, coalesce(accepted_chars, original_chars) as chars,
        original_chars, if({_FROM_A_REQUEST}, latency_ms, null) as request_latency_ms, decision_ms,
        time_until_shown_ms, {_measures()}
    from lives"""

_FACTS = f"""
    create or replace temp table facts as
    with traces as ({_TRACES}),
    at_the_cursor as (select * from traces where kind in ({listed(AT_THE_CURSOR)})),
    attempts as (select *, '{ANY}' as kind, event_name = 'request.error' or status_code >= 400 as is_failure
                 from requests),
    lives as (select * replace (coalesce(kind, '{GHOST_TEXT}') as kind) from suggestions),
    hours as (select *, epoch_us(coalesce(occurred_at, received_at)) // 3600000000 as active_hour
              from traces where installation_id is not null)
    {_first_traces("opportunity", "at_the_cursor", "true as is_opportunity")}
    union all by name
    {_first_traces("request_id", "attempts", "true as is_request, has_failed")}
    union all by name
    select distinct {_WHO_AND_WHERE}, active_hour from hours where kind in ({listed(AT_THE_CURSOR)})
    union all by name
    select distinct received_date, '{ANY}' as kind, {_PLACE}, active_hour from hours
    union all by name
    select distinct received_date, '{ANY}' as kind, {_PLACE} from lives
    union all by name
    select received_date, '{ANY}' as kind, {_PLACE}, event_id as fact_id, true as is_error from errors
    where event_name not in ('auth.new_login', 'auth.new_token')
    union all by name
    select received_date, '{ANY}' as kind, {_PLACE}, event_id as fact_id, true as is_redaction from redactions
    union all by name
    {_SUGGESTIONS}
"""


def gather_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the table `facts` from the views of `pipelines.rates.tables`."""
    connection.execute(_FACTS)
