"""A short, seeded run of the fuzz; `make fuzz` is the long one."""

import json
import subprocess
import sys

from tests.fuzz import fuzz


def test_mutated_bodies_of_real_clients_leave_the_books_balanced() -> None:
    books = fuzz(3000, seed=20261124)
    assert books["events"] > 3000
    assert min(books[name] for name in ("landed", "duplicate", "withheld", "outside_contract", "quarantined")) > 0


def test_mutated_containers_neither_end_the_process_nor_fill_its_memory() -> None:
    command = [sys.executable, "-m", "tests.fuzz_containers", "--mutations=3000", "--seed=20261126"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["peak_mb"] < 500
    kinds = ("lines", "requests", "damaged_block", "unreadable_container", "foreign_schema")
    assert min(found[name] for name in kinds) > 0
