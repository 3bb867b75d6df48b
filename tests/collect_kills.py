"""SIGKILLs of the collector while clients send: is everything there that was acknowledged?

    python -m tests.collect_kills                      100,000 events, 20 kills (some minutes)
    python -m tests.collect_kills --events 4000 --kills 3

A fast client sends bodies of events with ids of their own over kept
connections, and sends again, with the same bytes, whatever was not answered
200. The collector is killed at random moments and started again. At the end
every id that was acknowledged is looked up in the folder's files.
"""

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.collectors import Collector, body_of, new_ids, send, stored_ids

_PER_BODY = 10


class Outcome(NamedTuple):
    """What the clients were told and what the folder holds."""

    acknowledged: int
    lost: int
    twice: int
    unanswered: int
    kills: int
    hidden: list[str]


class Killer(threading.Thread):
    """Kills the collector at random moments and starts it again on the same port."""

    def __init__(self, folder: Path, collector: Collector, kills: int, seed: int, pause_s: float) -> None:
        super().__init__()
        self._folder, self.collector = folder, collector
        self._left, self._rng, self._pause_s = kills, random.Random(seed), pause_s
        self.killed = 0
        self.done = threading.Event()

    def run(self) -> None:
        while self._left and not self.done.wait(self._rng.random() * self._pause_s):
            self._left -= 1
            self.collector.stop(signal.SIGKILL)
            self.killed += 1
            self.collector = Collector(self._folder, self.collector.to, *FLAGS, port=self.collector.port)


FLAGS = ("--roll_interval=1s", "--roll_mb=1")


def campaign(folder: Path, events: int, kills: int, seed: int = 1, pause_s: float = 4.0) -> Outcome:
    """Sends until so many events are acknowledged and so many kills are done."""
    to = folder / "to"
    killer = Killer(folder, Collector(folder, to, *FLAGS), kills, seed, pause_s)
    killer.start()
    acknowledged: set[str] = set()
    unanswered = 0
    while len(acknowledged) < events or killer.is_alive():
        waiting = [new_ids(_PER_BODY) for _ in range(200)]
        while waiting:
            bodies = [body_of(ids) for ids in waiting]
            sent = send(killer.collector.port, bodies, connections=16)
            taken = {s.number for s in sent if s.status == 200}
            unanswered += sum(s.status == 0 for s in sent)
            acknowledged.update(one for n in taken for one in waiting[n])
            waiting = [ids for n, ids in enumerate(waiting) if n not in taken]
            if waiting:
                time.sleep(0.2)  # it is being started again
    killer.done.set()
    killer.join()
    assert killer.collector.stop() == 0
    found = stored_ids(to)
    hidden = [path.name for path in to.iterdir() if path.name.startswith(".")]
    lost = len(acknowledged - set(found))
    return Outcome(len(acknowledged), lost, len(found) - len(set(found)), unanswered, killer.killed, hidden)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collect-kills-") as name:
        begun = time.monotonic()
        found = campaign(Path(name), args.events, args.kills, args.seed)
    print(
        f"{found.acknowledged:,} events acknowledged, {found.lost} of them lost; {found.kills} kills in "
        f"{time.monotonic() - begun:.0f} s broke {found.unanswered} requests off; {found.twice} events stand twice, as "
        "their clients sent them again"
    )
    sys.exit(1 if found.lost or found.hidden else 0)


if __name__ == "__main__":
    main()
