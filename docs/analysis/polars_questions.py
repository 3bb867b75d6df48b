"""The ten questions of docs/analysis.md for Polars: each takes lazy frames of datasets and gives a data frame."""

import polars as pl

ACCEPTED = pl.col("outcome").is_in(["accepted", "partially_accepted"])
SHOWN_GHOST_TEXT = (pl.col("kind") == "ghost_text") & (pl.col("display_count") > 0)
WEEK = pl.col("received_date").dt.truncate("1w").alias("week")


def acceptance_by_language_and_week(suggestions: pl.LazyFrame) -> pl.DataFrame:
    """1. Acceptance by language and week."""
    groups = suggestions.filter(SHOWN_GHOST_TEXT).group_by(WEEK, "language")
    return groups.agg(pl.len().alias("shown"), ACCEPTED.mean().alias("acceptance_rate")).collect()


def weekly_active_installations(requests: pl.LazyFrame) -> pl.DataFrame:
    """2. Weekly active installations, for each key."""
    installations = pl.col("installation_id").drop_nulls().n_unique().alias("installations")
    return requests.group_by(WEEK, "key_id").agg(installations).collect()


def active_installations_a_day(requests: pl.LazyFrame) -> pl.DataFrame:
    """2. The same for weeks over a month's end: the days' average."""
    days = requests.group_by(WEEK, "received_date").agg(pl.col("installation_id").drop_nulls().n_unique())
    return days.group_by("week").agg(pl.col("installation_id").mean().alias("installations_a_day")).collect()


def latency_by_country(suggestions: pl.LazyFrame) -> pl.DataFrame:
    """3. Latency by country."""
    asked = (pl.col("kind") == "ghost_text") & pl.col("display_source").is_in(["network", "async"])
    latency = pl.col("latency_ms")
    groups = suggestions.filter(asked & pl.col("country").is_not_null()).group_by("country")
    found = groups.agg(
        pl.len().alias("suggestions"),
        latency.quantile(0.5, "linear").alias("p50_ms"),
        latency.quantile(0.95, "linear").alias("p95_ms"),
        pl.col("installation_id").drop_nulls().n_unique().alias("installations"),
    )
    return found.filter(pl.col("installations") >= 3).drop("installations").collect()


def cycling(suggestions: pl.LazyFrame) -> pl.DataFrame:
    """4. What people find by cycling."""
    cycled = pl.col("is_cycling").fill_null(value=False) | pl.col("display_source").eq_missing(pl.lit("cycling"))
    groups = suggestions.filter(SHOWN_GHOST_TEXT).group_by(cycled.alias("cycling"))
    return groups.agg(pl.len().alias("shown"), ACCEPTED.mean().alias("acceptance_rate")).collect()


def sessions_a_day(requests: pl.LazyFrame) -> pl.DataFrame:
    """5. Sessions a day."""
    sessions, people = (pl.col(name).drop_nulls().n_unique() for name in ("session_id", "installation_id"))
    return (
        requests.group_by("received_date")
        .agg(sessions.alias("sessions"), people.alias("installations"), (sessions / people).alias("sessions_a_person"))
        .collect()
    )


def keys(suggestions: pl.LazyFrame) -> pl.DataFrame:
    """6. What was made with which key."""
    day = pl.col("received_date")
    groups = suggestions.group_by("key_id")
    return groups.agg(
        pl.len().alias("suggestions"), day.min().alias("first_day"), day.max().alias("last_day")
    ).collect()


def filters(redactions: pl.LazyFrame) -> pl.DataFrame:
    """7. How often a filter steps in."""
    people = pl.col("installation_id").drop_nulls().n_unique().alias("installations")
    return redactions.group_by("category").agg(pl.len().alias("redactions"), people).collect()


def failing_versions(requests: pl.LazyFrame) -> pl.DataFrame:
    """8. Versions whose requests fail."""
    request = pl.col("request_id")
    failed = ((pl.col("event_name") == "request.error") | (pl.col("status_code") >= 400)).fill_null(value=False)
    groups = requests.filter(request.is_not_null()).group_by("extension_version")
    return groups.agg(request.n_unique().alias("requests"), request.filter(failed).n_unique().alias("failed")).collect()


def lengths(suggestions: pl.LazyFrame, code: pl.LazyFrame) -> pl.DataFrame:
    """9. Which lengths of completions are taken."""
    texts = code.filter(pl.col("completion_text_json").is_not_null()).select("suggestion_id", "completion_text_json")
    groups = suggestions.join(texts, on="suggestion_id").group_by("language")
    return groups.agg(
        pl.len().alias("texts"),
        (pl.col("outcome") == "accepted").sum().alias("accepted"),
        pl.col("completion_text_json").str.len_chars().sum().alias("chars"),
    ).collect()


def persistence_by_engine(suggestions: pl.LazyFrame) -> pl.DataFrame:
    """10. Persistence by engine."""
    state = pl.col("persistence_30s")
    unobserved = state == "unobserved"
    groups = suggestions.filter(SHOWN_GHOST_TEXT & ACCEPTED & state.is_not_null()).group_by("engine")
    return groups.agg(
        unobserved.sum().alias("unobserved"),
        (~unobserved).sum().alias("observed"),
        (state == "unchanged").filter(~unobserved).mean().alias("unchanged_rate"),
    ).collect()
