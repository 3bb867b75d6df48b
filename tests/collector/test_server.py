"""The socket, and the files that connections need."""

import resource
import socket

import pytest

from pipelines.collector.server import allow_connections, listening_socket
from schemas.errors import InvalidOptions


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", "0.0.0.0:0"])
def test_it_listens_where_it_is_told(listen: str) -> None:
    with listening_socket(listen) as sock, socket.create_connection(sock.getsockname()[:2]) as client:
        assert client.getpeername()[1] == sock.getsockname()[1]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "listen",
    [
        "",
        "8080",
        ":8080",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:\u0661",
        "203.0.113.9:80",
        "no.such.host.invalid:80",
        "[::1:80",
    ],
)
def test_where_it_cannot_is_refused_in_one_line(listen: str) -> None:
    with pytest.raises(InvalidOptions, match=r"^--listen [^\n]*$"):
        listening_socket(listen)


def test_the_limit_of_files_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert allow_connections(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 164
        if hard != resource.RLIM_INFINITY:
            assert allow_connections(hard + 1000) == hard - 64
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("refused", [ValueError("not allowed to raise maximum limit"), OSError(22, "Invalid argument")])
def test_a_system_that_grants_less_than_it_says_is_taken_as_it_is(
    refused: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_nothing(*_: object) -> None:
        raise refused

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(resource, "setrlimit", set_nothing)
    assert allow_connections(100_000) == soft - 64
