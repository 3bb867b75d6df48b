"""A crowd that uses ghost text for a day, as facts: heavy users, and people who accept more or less."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.rates.facts import gather_facts
from pipelines.rates.kinds import ANY, GHOST_TEXT

DAY = date(2026, 3, 29)
LANGUAGES = {"python": 0.4, "typescript": 0.3, "go": 0.15, "java": 0.1, "rust": 0.05}
MEDIAN_SHOWN, SPREAD = 40, 1.0
"""Suggestions that a person sees in a day: log-normal, so that one in twenty sees more than 200."""


def hold_crowd(connection: duckdb.DuckDBPyConnection, people: int, seed: int = 1) -> None:
    """Makes the table `facts` of so many people: each has a language, and a rate of acceptance of its own around 30 %;
    twice as many chances as suggestions; who accepts less sees more.
    """
    rng = np.random.default_rng(seed)
    rate = rng.beta(3, 7, people)
    shown = np.minimum(rng.lognormal(np.log(MEDIAN_SHOWN * (1.3 - rate)), SPREAD).astype(int) + 1, 2000)
    who = np.repeat(np.arange(people), shown)
    accepted = rng.random(len(who)) < rate[who]
    lives = pa.table({
        "installation_id": np.char.add("i", who.astype(str)),
        "language": rng.choice([*LANGUAGES], people, p=[*LANGUAGES.values()])[who],
        "fact_id": np.arange(len(who)).astype(str),
        "outcome": np.where(accepted, "accepted", np.where(rng.random(len(who)) < 0.5, "rejected", "none")),
        "persistence_30s": np.where(rng.random(len(who)) < 0.7, "unchanged", "changed"),
        "persistence_600s": np.where(rng.random(len(who)) < 0.5, "unchanged", "changed"),
        "chars": rng.lognormal(3.5, 1, len(who)).astype(int),
    })  # fmt: skip
    gather_facts(connection)
    connection.register("lives_of_crowd", lives)
    place = f"date '{DAY}' as received_date, '1.2' as extension_version, 'm' as engine, 'GB' as country"
    connection.execute(f"""
        insert into facts by name select *, {place}, '{GHOST_TEXT}' as kind, outcome = 'accepted' as is_accepted,
            is_accepted as is_followed, true as is_counted, true as is_suggestion, true as is_shown,
            false as is_disagreed, 1 as display_count from lives_of_crowd""")
    connection.execute(f"""
        insert into facts by name select installation_id, language, fact_id || range as fact_id, {place},
            '{GHOST_TEXT}' as kind, true as is_opportunity from lives_of_crowd, range(2)""")
    connection.execute(f"""
        insert into facts by name select distinct installation_id, language, {place}, '{ANY}' as kind
        from lives_of_crowd""")
