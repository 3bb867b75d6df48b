"""Names of streams and settings of clients: one stream has one name, and no setting's value stands in an error."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core.reading.kafka import admin
from transforms.core.reading.kafka.admin import load_config
from transforms.core.reading.open_log import kafka_parts, stream_digest

HOSTS = st.from_regex(r"[a-z]{1,8}:[0-9]{1,5}(,[a-z]{1,8}:[0-9]{1,5})?", fullmatch=True)
TOPICS = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


@given(HOSTS, HOSTS, TOPICS, TOPICS)
def test_a_topic_is_named_alike_wherever_its_brokers_are(one: str, other: str, topic: str, another: str) -> None:
    assert kafka_parts(f"kafka://{one}/{topic}") == (one, topic)
    digests = [stream_digest(f"kafka://{host}/{name}") for host, name in ((one, topic), (other, topic), (one, another))]
    assert digests[0] == digests[1]
    assert (digests[0] == digests[2]) == (topic == another)
    assert stream_digest(topic) != digests[0], "a folder is no topic"


@pytest.mark.parametrize(
    "uri",
    ["kafka://h:1", "kafka://h:1/", "kafka:///t", "kafka://h:1/a/b", "kafka://u:p@h:1/t", "kafka://h:1/t?x=1", "kafka://h:1/" + "t" * 250],
)  # fmt: skip
def test_a_wrong_uri_is_refused(uri: str) -> None:
    with pytest.raises(InvalidOptions, match="allowed is kafka://HOST:PORT"):
        stream_digest(uri)


def test_no_name_of_a_folder_is_too_strange() -> None:
    assert stream_digest("/in\udcff/") == stream_digest("/in\udcff")


def config(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_settings_are_read(tmp_path: Path) -> None:
    settings = {"security.protocol": "SASL_SSL", "sasl.password": "secret", "batch.num.messages": 7}
    assert load_config(config(tmp_path / "k.json", json.dumps(settings))) == settings
    assert load_config(None) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", '"secret"', '{"sasl.password": ["secret"]}', '{"a": null}', "secret", "{" * 100_000]
)
def test_what_is_no_object_of_settings_is_refused_without_its_text(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions) as refused:
        load_config(config(tmp_path / "k.json", text))
    assert "secret" not in str(refused.value)
    assert "k.json" in str(refused.value)


def test_settings_that_others_may_write_are_refused(tmp_path: Path) -> None:
    path = config(tmp_path / "k.json", "{}")
    os.chmod(path, 0o666)
    with pytest.raises(KeyUnavailable):
        load_config(path)


@pytest.mark.parametrize(
    "settings", [{"sasl.passwort": "secret"}, {"ssl.ca.location": "/secret/x"}, {"sasl.mechanisms": "secret"}]
)
def test_settings_that_the_client_refuses_are_named_without_their_values(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidOptions) as refused:
        admin.TopicAdmin("localhost:9", "t", {"security.protocol": "SASL_SSL", **settings})
    assert "secret" not in str(refused.value)
    assert "--kafka_config" in str(refused.value)
