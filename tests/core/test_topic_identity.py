"""Topics: another one of the same name is noticed, and partitions keep their names over generations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import TopicReplaced
from transforms.core.topic_identity import TopicIdentity, check_same, generations, part_name, partition_of

IDS = st.sampled_from([None, "", "one", "two"])
IDENTITIES = st.builds(TopicIdentity, IDS, IDS)


@given(IDENTITIES, IDENTITIES)
def test_only_ids_that_both_are_known_and_differ_make_another_topic(kept: TopicIdentity, found: TopicIdentity) -> None:
    differ = any(before and now and before != now for before, now in zip(kept, found, strict=True))
    if not differ:
        check_same("events", kept, found)
        return
    with pytest.raises(TopicReplaced) as refused:
        check_same("events", kept, found)
    assert "topic events" in str(refused.value)
    assert "--start new_topic" in str(refused.value)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["", "a", "b@c", "0"])), max_size=8))
def test_names_of_partitions_are_told_apart_and_read_back(parts: list[tuple[int, str]]) -> None:
    names = [part_name(*part) for part in parts]
    assert [partition_of(name) for name in names] == [partition for partition, _ in parts]
    assert generations(names) == {generation for _, generation in parts}
    assert len(set(names)) == len(set(parts))
