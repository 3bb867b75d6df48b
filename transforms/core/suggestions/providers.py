"""Next edits of one opportunity, told apart by who made them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives


class OfProviders(NamedTuple):
    """Facts and lives as `by_provider` tells them apart; `ambiguous` has the former life of each check left out."""

    facts: Mapping[str, Facts]
    lives: Lives
    ambiguous: np.ndarray


def by_provider(facts: Mapping[str, Facts], lives: Lives) -> OfProviders:
    """A life for each provider of an opportunity's next edits, all of the same span; other lives stay as they are.

    Checks name no provider. They go with the only next edit of the opportunity, else with the only one that was
    accepted. Where there is none such they are of no suggestion, and left out.
    """
    life, rank = _told(facts)
    pairs = np.unique(np.stack([life, rank]), axis=1)
    if len(np.unique(pairs[0])) == pairs.shape[1]:
        return OfProviders(facts, lives, np.array([], dtype=np.int64))
    alone = np.setdiff1d(np.arange(len(lives.first_us)), pairs[0])
    pairs = np.concatenate([pairs, np.stack([alone, np.full(len(alone), -1)])], axis=1)
    pairs = pairs[:, np.lexsort((pairs[1], pairs[0]))]
    new_life = _numbers(pairs, life, rank)
    split, start = {}, 0
    for name, (rows, old_life) in facts.items():
        if name in ("displays", "outcomes"):
            split[name] = Facts(rows, new_life[start : start + len(old_life)])
            start += len(old_life)
    owner, lost = _owner_of_checks(pairs[0], split["outcomes"]), np.array([], dtype=np.int64)
    for name, (rows, old_life) in facts.items():
        if name not in split:
            kept = owner[old_life] >= 0
            split[name] = Facts(rows.filter(pa.array(kept)), owner[old_life[kept]])
            lost = np.concatenate([lost, old_life[~kept]])
    return OfProviders({name: split[name] for name in facts}, _taken(lives, pairs[0]), lost)


def _told(facts: Mapping[str, Facts]) -> tuple[np.ndarray, np.ndarray]:
    """Of each display and outcome its life, and a number for its suggestion that sorts as the ids do.

    The number is -1 where it is no next edit: such a life has one suggestion alone.
    """
    told = [facts[name] for name in ("displays", "outcomes")]
    ids = pa.concat_arrays(
        [pc.if_else(pc.equal(rows["kind"], "next_edit"), rows["suggestion_id"], None) for rows, _ in told]
    ).dictionary_encode()
    places = np.argsort(np.argsort(np.array(ids.dictionary.to_pylist(), dtype=object)))
    codes = ids.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    rank = np.append(places, -1)[codes].astype(np.int64)
    return np.concatenate([life for _, life in told]).astype(np.int64), rank


def _numbers(pairs: np.ndarray, life: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The place of each (life, rank) among the sorted pairs."""
    wide = int(pairs[1].max(initial=0)) + 2
    return np.searchsorted(pairs[0] * wide + pairs[1] + 1, life * wide + rank + 1)


def _owner_of_checks(old_of_new: np.ndarray, outcomes: Facts) -> np.ndarray:
    """For each old life the new one that its checks go with; -1 where nobody can tell."""
    count = int(old_of_new.max(initial=-1)) + 1
    accepted = np.zeros(len(old_of_new), dtype=bool)
    is_acceptance = np.asarray(pc.equal(outcomes.rows["outcome"], "accepted").fill_null(False))
    accepted[outcomes.life[is_acceptance]] = True
    owner = np.full(count, -1, dtype=np.int64)
    # What is written last stands: the only accepted one, before it the only one.
    only = np.flatnonzero(np.bincount(old_of_new, minlength=count)[old_of_new] == 1)
    owner[old_of_new[only]] = only
    accepted_of_old = np.bincount(old_of_new, weights=accepted, minlength=count)
    best = np.flatnonzero(accepted & (accepted_of_old[old_of_new] == 1))
    owner[old_of_new[best]] = best
    return owner


def _taken(lives: Lives, old_of_new: np.ndarray) -> Lives:
    return lives._replace(
        suggestion=lives.suggestion[old_of_new],
        first_us=lives.first_us[old_of_new],
        last_us=lives.last_us[old_of_new],
        closed_at_us=lives.closed_at_us[old_of_new],
        closed_by=[lives.closed_by[number] for number in old_of_new],
    )
