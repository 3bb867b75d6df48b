"""A short, seeded run of the fuzz; `make fuzz` is the long one."""

from tests.fuzz import fuzz


def test_mutated_bodies_of_real_clients_leave_the_books_balanced() -> None:
    books = fuzz(3000, seed=20261124)
    assert books["events"] > 3000
    assert min(books[name] for name in ("landed", "duplicate", "withheld", "outside_contract", "quarantined")) > 0
