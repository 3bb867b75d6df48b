"""A connection that is closed when the head of a request is endless or does not come.

uvicorn bounds neither; a body's bounds are in `bodies`.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MAX_HEAD_BYTES = 64 * 1024
"""Names and values of headers are a few hundred bytes from the clients, a few KB with a proxy's."""

_HEAD_TIMEOUT_S = 30.0


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol, with a bound in bytes and in time for each request's head."""

    _is_in_head = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is due."""
        super().connection_made(transport)
        self._await_head()

    def on_message_begin(self) -> None:
        """A head begins; the first one was awaited since the connection was made."""
        super().on_message_begin()
        if not self._is_in_head:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._is_in_head = False
        self._end_wait()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Counts what comes while a head is not whole: what came with its end is not counted."""
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._end_wait()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        self._head_timer = asyncio.get_running_loop().call_later(_HEAD_TIMEOUT_S, self.transport.close)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
