"""SIGKILL, once for each command; `make keys_kills` does it 20 times."""

import random

from tests.keys_kills import CHECKS, try_kills


def test_a_command_that_was_killed_is_finished_by_the_same_command() -> None:
    stood = try_kills(1, random.Random())
    assert stood.total() == len(CHECKS) == 7
