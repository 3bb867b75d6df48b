"""The worker processes of a job: started, given orders and ended.

On Linux a worker of a command is a fork of the job's process: it has every module, and begins within 10 ms. Forking is
safe as long as no library has begun threads that take locks, as gRPC does; so it is done before the job begins its
own. Elsewhere each worker is a new interpreter, which imports for 1.5 CPU seconds.
"""

import multiprocessing
import sys
import threading
from contextlib import suppress
from typing import Any

from pipelines.running.progress import NONE, Figures
from pipelines.workers.orders import Done, Order
from pipelines.workers.work import work
from schemas.errors import RunnerUnavailable

_END_S = 5.0
_ELSEWHERE = 32
_HARMLESS_THREADS = {"MainThread", "interrupts"}
"""Those of a command that has just begun: the second one does nothing but wait for Ctrl-C."""


class Worker:
    """One process and the way to it; used by one thread at a time."""

    def __init__(self, context: Any) -> None:
        self._orders, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.figures = NONE

    def do(self, order: Order) -> Done:
        """Waits until a bundle is done; raises the PipelineError that its steps raised.

        Raises RunnerUnavailable where the process is gone.
        """
        try:
            self._orders.send(order)
            while isinstance(answer := self._orders.recv(), Figures):
                self.figures = answer
        except (EOFError, OSError):
            raise RunnerUnavailable(self._why_gone()) from None
        if isinstance(answer, Exception):
            raise answer
        done: Done = answer
        return done

    def _why_gone(self) -> str:
        self.process.join(_END_S)
        code = self.process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        return f"a worker process {how}, as happens where memory is short; run it again to make the output whole"

    def let_go(self) -> None:
        """Tells it that there are no more orders."""
        with suppress(OSError):
            self._orders.send(None)

    def end(self, wait_s: float) -> None:
        """Waits for its end, so long, and then ends it whatever it does."""
        self.process.join(wait_s)
        self.process.kill()
        self.process.join()


class Workers:
    """So many processes, or none; they end with the block, and with this process, however that ends."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
        self.all = [Worker(context) for _ in range(count)]

    @property
    def count(self) -> int:
        """How many there are, or may be where they are not ours."""
        return len(self.all) or _ELSEWHERE

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        for worker in self.all if kind is None else ():
            worker.let_go()
        for worker in self.all:
            worker.end(_END_S if kind is None else 0)

    def figures(self) -> Figures:
        """How far they have come, all together."""
        return Figures._make(sum(part) for part in zip(NONE, *(worker.figures for worker in self.all), strict=True))


def _may_fork() -> bool:
    """Whether this is a command's process of which every thread is known; not so where a test or a notebook runs."""
    names = {thread.name for thread in threading.enumerate()}
    return sys.platform == "linux" and names == _HARMLESS_THREADS
