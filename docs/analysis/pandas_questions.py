"""The ten questions of docs/analysis.md for pandas: each takes data frames of datasets and gives another."""

import pandas as pd


def shown_ghost_text(suggestions: pd.DataFrame) -> pd.DataFrame:
    """Rows that most questions are about, with a column that tells whether each was accepted."""
    rows = suggestions[(suggestions["kind"] == "ghost_text") & (suggestions["display_count"] > 0)]
    return rows.assign(is_accepted=rows["outcome"].isin(["accepted", "partially_accepted"]))


def with_week(rows: pd.DataFrame) -> pd.DataFrame:
    """The Monday of each row's received_date, which is text or a category where it comes from a folder's name."""
    days = pd.to_datetime(rows["received_date"].astype(str))
    return rows.assign(received_date=days, week=days - pd.to_timedelta(days.dt.day_of_week, unit="D"))


def acceptance_by_language_and_week(suggestions: pd.DataFrame) -> pd.DataFrame:
    """1. Acceptance by language and week."""
    groups = with_week(shown_ghost_text(suggestions)).groupby(["week", "language"], dropna=False, observed=True)
    return groups["is_accepted"].agg(shown="size", acceptance_rate="mean").reset_index()


def weekly_active_installations(requests: pd.DataFrame) -> pd.DataFrame:
    """2. Weekly active installations, for each key."""
    groups = with_week(requests).groupby(["week", "key_id"], observed=True)
    return groups.agg(installations=("installation_id", "nunique")).reset_index()


def active_installations_a_day(requests: pd.DataFrame) -> pd.DataFrame:
    """2. The same for weeks over a month's end: the days' average."""
    days = with_week(requests).groupby(["week", "received_date"])["installation_id"].nunique()
    return days.groupby("week").mean().rename("installations_a_day").reset_index()


def latency_by_country(suggestions: pd.DataFrame) -> pd.DataFrame:
    """3. Latency by country."""
    asked = (suggestions["kind"] == "ghost_text") & suggestions["display_source"].isin(["network", "async"])
    groups = suggestions[asked].groupby("country", observed=True)
    found = groups.agg(
        suggestions=("suggestion_id", "size"),
        p50_ms=("latency_ms", "median"),
        p95_ms=("latency_ms", lambda column: column.quantile(0.95)),
        installations=("installation_id", "nunique"),
    )
    return found[found["installations"] >= 3].drop(columns="installations").reset_index()


def cycling(suggestions: pd.DataFrame) -> pd.DataFrame:
    """4. What people find by cycling."""
    rows = shown_ghost_text(suggestions)
    by_hand = rows["is_cycling"] == True  # noqa: E712 - missing counts as false
    groups = rows.groupby((by_hand | (rows["display_source"] == "cycling")).rename("cycling"))
    return groups["is_accepted"].agg(shown="size", acceptance_rate="mean").reset_index()


def sessions_a_day(requests: pd.DataFrame) -> pd.DataFrame:
    """5. Sessions a day."""
    groups = with_week(requests).groupby("received_date")
    found = groups.agg(sessions=("session_id", "nunique"), installations=("installation_id", "nunique"))
    return found.assign(sessions_a_person=found["sessions"] / found["installations"]).reset_index()


def keys(suggestions: pd.DataFrame) -> pd.DataFrame:
    """6. What was made with which key."""
    days = with_week(suggestions).groupby("key_id", observed=True)["received_date"]
    return days.agg(suggestions="size", first_day="min", last_day="max").reset_index()


def filters(redactions: pd.DataFrame) -> pd.DataFrame:
    """7. How often a filter steps in."""
    groups = redactions.groupby("category", dropna=False, observed=True)["installation_id"]
    return groups.agg(redactions="size", installations="nunique").reset_index()


def failing_versions(requests: pd.DataFrame) -> pd.DataFrame:
    """8. Versions whose requests fail."""
    failed = (requests["event_name"] == "request.error") | (requests["status_code"] >= 400)
    rows = requests.assign(failed=requests["request_id"].where(failed))
    groups = rows[rows["request_id"].notna()].groupby("extension_version", dropna=False, observed=True)
    return groups.agg(requests=("request_id", "nunique"), failed=("failed", "nunique")).reset_index()


def lengths(suggestions: pd.DataFrame, code: pd.DataFrame) -> pd.DataFrame:
    """9. Which lengths of completions are taken."""
    texts = code[code["completion_text_json"].notna()][["suggestion_id", "completion_text_json"]]
    rows = suggestions[suggestions["suggestion_id"].notna()].merge(texts, on="suggestion_id")
    rows = rows.assign(is_accepted=rows["outcome"] == "accepted", chars=rows["completion_text_json"].str.len())
    groups = rows.groupby("language", dropna=False, observed=True)
    return groups.agg(texts=("chars", "size"), accepted=("is_accepted", "sum"), chars=("chars", "sum")).reset_index()


def persistence_by_engine(suggestions: pd.DataFrame) -> pd.DataFrame:
    """10. Persistence by engine."""
    rows = shown_ghost_text(suggestions)
    rows = rows[rows["is_accepted"] & rows["persistence_30s"].notna()]
    observed = rows["persistence_30s"] != "unobserved"
    unchanged = (rows["persistence_30s"] == "unchanged").astype("float").where(observed)
    groups = rows.assign(unobserved=~observed, observed=observed, unchanged=unchanged).groupby(
        "engine", dropna=False, observed=True
    )
    return groups.agg(
        unobserved=("unobserved", "sum"), observed=("observed", "sum"), unchanged_rate=("unchanged", "mean")
    ).reset_index()
