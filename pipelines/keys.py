"""Keys: make, show, extend and destroy what protects the datasets.

python -m pipelines.keys create --output keys/
python -m pipelines.keys list --key_ring keys/
python -m pipelines.keys rotate --key_ring keys/ --through 2027-12
python -m pipelines.keys destroy --key_ring keys/ --month 2026-01 --confirm 2026-01
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from pipelines.options.flags import JobParser, job_parser, whole_number
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys import keyring, private_keys
from transforms.core.keys.documents import check_month
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING
from transforms.core.storage.secret_files import check_folder, readable_by_others

PRIVATE_FOLDER = "private"

_MOST_ADDED = 1200
"""Months; of ten times as many the ring would be larger than what is read of it."""


def _parser() -> JobParser:
    parser = job_parser("keys", "Make, show, extend and destroy keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="Make a key ring and the roles' private keys.")
    create.add_argument("--output", required=True, metavar="DIR", help="New folder; --key_ring of the other jobs.")
    create.add_argument("--start", type=check_month, metavar="YYYY-MM", help="First month. Default: last month.")
    create.add_argument("--months", type=whole_number(1, 600), default=14, help="How many months. Default: 14.")
    listing = commands.add_parser("list", help="Show which keys there are; never a key itself.")
    rotate = commands.add_parser("rotate", help="Add the months that follow, each with fresh keys.")
    rotate.add_argument(
        "--through",
        type=check_month,
        metavar="YYYY-MM",
        help="Last month there shall be keys for, or an earlier one to add. Default: next month.",
    )
    destroy = commands.add_parser(
        "destroy",
        help="Destroy a month's keys: its pseudonyms can no longer be derived, its code no longer be read.",
    )
    destroy.add_argument("--month", required=True, type=check_month, metavar="YYYY-MM")
    destroy.add_argument("--confirm", metavar="YYYY-MM", help="The same month; without it nothing is destroyed.")
    for command in (listing, rotate, destroy):
        command.add_argument("--key_ring", required=True, metavar="DIR", help="Folder made by create.")
    for command in (rotate, destroy):
        command.add_argument("--private", metavar="DIR",
                             help="Folder of the roles' private keys. Default: private/ in the key ring.")  # fmt: skip
    return parser


def create(folder: str, start: str, months: int) -> None:
    """Makes a ring for so many months from `start` on; refuses a folder that has one, or where others may write."""
    path = storage.join(folder, keyring.RING_FILE)
    if storage.exists(path):
        raise InvalidOptions(f"--output {folder}: there is a key ring already; rotate adds months to it")
    if storage.is_local(folder):
        check_folder(storage.local_path(folder), "key ring")
    ring, operators = keyring.create()
    private = {role: PrivateKeys(role, {}) for role in ROLES}
    private[OPERATORS].keys[STANDING] = operators
    for month in _months(start, months):
        for role, key in ring.add_month(month).items():
            private[role].keys[month] = key
    for role, keys in private.items():
        _create(_private_path(storage.join(folder, PRIVATE_FOLDER), role), private_keys.dump_private(keys))
    _create(path, keyring.dumps(ring))


def _create(path: str, data: bytes) -> None:
    if not storage.write_private(path, data, replaces=False):
        raise InvalidOptions(f"there is a key file already at {path}: it is not replaced; move it elsewhere first")


def rotate(folder: str, private_folder: str, through: str) -> list[str]:
    """Adds every month that is missing up to `through`; returns them.

    A month before the ring's first is added by itself with what lies between.
    Months whose key was destroyed stay destroyed.
    """
    ring = keyring.load(folder)
    have = sorted({*ring.epochs, *ring.destroyed})
    first, last = min([*have, through]), max([*have, through])
    span = _distance(first, last) + 1
    if span - len(have) > _MOST_ADDED:
        raise InvalidOptions(
            f"--through {through}: {span - len(have)} months more than the ring has; allowed are {_MOST_ADDED} at once"
        )
    missing = [m for m in _months(first, span) if m not in have]
    private = {r: _load_or_new(private_folder, r) for r in ROLES if r != OPERATORS}
    for month in missing:
        for role, key in ring.add_month(month).items():
            private[role].keys[month] = key
    for keys in private.values():
        _write_private(private_folder, keys)
    _write_secret(storage.join(folder, keyring.RING_FILE), keyring.dumps(ring))
    return missing


def destroy(folder: str, private_folder: str, month: str) -> None:
    """Destroys a month's epoch secret and the roles' private keys of that month.

    The ring remembers that it was destroyed, so that rotate never makes it anew.
    """
    ring = keyring.load(folder)
    if month not in ring.epochs:
        raise InvalidOptions(f"--month {month}: the ring has {_span(ring)}")
    del ring.epochs[month]
    ring.destroyed.append(month)
    for role in ROLES:
        ring.public_keys[role].pop(month, None)
        if role != OPERATORS and storage.exists(_private_path(private_folder, role)):
            keys = private_keys.load_private(_private_path(private_folder, role))
            keys.keys.pop(month, None)
            _write_private(private_folder, keys)
    _write_secret(storage.join(folder, keyring.RING_FILE), keyring.dumps(ring))


def _load_or_new(folder: str, role: str) -> PrivateKeys:
    path = _private_path(folder, role)
    return private_keys.load_private(path) if storage.exists(path) else PrivateKeys(role, {})


def _private_path(folder: str, role: str) -> str:
    return storage.join(folder, f"{role}.json")


def _write_private(folder: str, keys: PrivateKeys) -> None:
    _write_secret(_private_path(folder, keys.role), private_keys.dump_private(keys))


def _write_secret(path: str, data: bytes) -> None:
    """Replaces a file whole; it keeps the mode that an operator gave it."""
    storage.write_private(path, data, keeps_mode=True)


def _warn_of_readers(paths: Iterable[str]) -> None:
    for line in filter(None, map(readable_by_others, paths)):
        print(line, file=sys.stderr)


def _months(start: str, count: int) -> list[str]:
    year, month = (int(part) for part in start.split("-"))
    numbers = range(year * 12 + month - 1, year * 12 + month - 1 + count)
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in numbers]


def _distance(first: str, last: str) -> int:
    a, b = (date.fromisoformat(f"{m}-01") for m in (first, last))
    return (b.year - a.year) * 12 + b.month - a.month


def _relative_month(offset: int) -> str:
    now = datetime.now(UTC)
    number = now.year * 12 + now.month - 1 + offset
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _span(ring: keyring.KeyRing) -> str:
    return f"{min(ring.epochs)} to {max(ring.epochs)}" if ring.epochs else "no months"


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    if args.command == "create":
        create(args.output, args.start or _relative_month(-1), args.months)
        print(f"made {storage.join(args.output, keyring.RING_FILE)}: {_span(keyring.load(args.output))}")
        print(f"private keys of the roles are in {storage.join(args.output, PRIVATE_FOLDER)}: keep them elsewhere")
        return
    ring = keyring.load(args.key_ring)
    private = getattr(args, "private", None) or storage.join(args.key_ring, PRIVATE_FOLDER)
    ring_file = storage.join(args.key_ring, keyring.RING_FILE)
    _warn_of_readers([ring_file, *(_private_path(private, role) for role in ROLES)])
    if args.command == "list":
        _print_list(ring)
        return
    for held in (args.key_ring, private):
        storage.sweep(held)  # what a killed run left half holds keys, too
    if args.command == "rotate":
        added = rotate(args.key_ring, private, args.through or _relative_month(1))
        print(f"added {len(added)} months: {', '.join(added) or 'all were there'}")
    elif args.confirm != args.month:
        print(f"would destroy the keys of {args.month} for ever; to do it add --confirm {args.month}")
    else:
        destroy(args.key_ring, private, args.month)
        print(f"destroyed the keys of {args.month}")


def _print_list(ring: keyring.KeyRing) -> None:
    print(f"check value {ring.check_value}")
    print(f"epochs {_span(ring)} ({len(ring.epochs)}); destroyed: {', '.join(sorted(ring.destroyed)) or 'none'}")
    for role, keys in ring.public_keys.items():
        print(f"role {role}: {len(keys)} public keys, {min(keys, default='-')} to {max(keys, default='-')}")


if __name__ == "__main__":
    run_job(main)
