"""The process: a socket, the server on it, and how it ends."""

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from uvicorn.config import Config
from uvicorn.server import Server

from pipelines.collector.commits import GroupCommit
from pipelines.collector.connections import BoundedConnection
from pipelines.collector.intake import Intake
from pipelines.running.interrupts import handle_by
from schemas.errors import InvalidOptions

_KEEP_ALIVE_S = 65
"""Common proxies close an idle connection after 60 s. Ours stay open longer, so that none is closed while in use."""

_GRACE_S = 25
"""Seconds that requests in flight may take after SIGTERM. Orchestrators kill after 30 s."""

_SPARE_FILES = 64


class _Server(Server):
    """uvicorn's own handling of signals ends the process by the signal; ours ends with 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield


def listening_socket(listen: str) -> socket.socket:
    """The socket of `HOST:PORT`, as in 127.0.0.1:8080 or [::1]:8080; raises InvalidOptions."""
    host, _, port = listen.rpartition(":")
    is_half_bracketed = host.startswith("[") != host.endswith("]")
    host = host.removeprefix("[").removesuffix("]")
    if is_half_bracketed or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidOptions(f"--listen {listen!r}: allowed is HOST:PORT, as in 127.0.0.1:8080 or [::]:8080")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, int(port)), family=family, backlog=2048, dualstack_ipv6=host == "::")
    except OSError as cause:
        raise InvalidOptions(f"--listen {listen}: {cause.strerror}") from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it; without it answers took 40 ms
    return sock


def allow_connections(wanted: int) -> int:
    """Raises the limit of open files as far as the system lets it; returns how many connections that allows."""
    now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted_files = wanted + _SPARE_FILES
    soft = wanted_files if hard == resource.RLIM_INFINITY else min(wanted_files, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):  # macOS sets no bound and then grants less
        soft = now
    return soft - _SPARE_FILES


async def serve(
    intake: Intake, commits: GroupCommit, sock: socket.socket, max_connections: int, tls: dict[str, Any]
) -> None:
    """Until SIGTERM or SIGINT: then nothing new is accepted, what is in flight is answered, and the sink is closed.

    A second signal does not wait for what is in flight.
    """
    _silence()
    asyncio.get_running_loop().set_exception_handler(_tell_of_exception)
    server = _Server(_config(intake, max_connections, tls))
    _end_by_signals(server, intake)
    commits.start()
    host, port = sock.getsockname()[:2]
    scheme = "https" if tls else "http"
    print(f"listening on {scheme}://{f'[{host}]' if ':' in host else host}:{port}", file=sys.stderr, flush=True)
    try:
        await server.serve(sockets=[sock])
    finally:
        await commits.close()
    print("stopped; everything that was acknowledged is handed on", file=sys.stderr, flush=True)


def _config(intake: Intake, max_connections: int, tls: dict[str, Any]) -> Config:
    return Config(
        intake.app(),
        http=BoundedConnection,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        **tls,
    )


def _end_by_signals(server: Server, intake: Intake) -> None:
    """The first signal ends the server in order, the second at once."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        intake.is_ending = True
        server.force_exit = server.should_exit
        server.should_exit = True

    def interrupted(*_: Any) -> None:
        loop.call_soon_threadsafe(end)

    loop.add_signal_handler(signal.SIGTERM, end)
    handle_by(interrupted)


def _silence() -> None:
    """What the server and the loop would log may hold addresses of clients, in the names of their sockets."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio"):
        logging.getLogger(name).disabled = True


def _tell_of_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    with suppress(OSError):
        print(f"in the server: {type(error).__name__}", file=sys.stderr, flush=True)
