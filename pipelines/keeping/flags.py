"""The commands of `pipelines.keys` and their flags."""

from typing import Any

from pipelines.keeping.months import MONTHS_AHEAD
from pipelines.options.flags import JobParser, job_parser, whole_number
from pipelines.options.wrapping import add_wrapping_key_flag
from transforms.core.keys.documents import check_month
from transforms.core.keys.lost import check_name
from transforms.core.keys.retired import REASONS
from transforms.core.keys.roles import ROLES, check_reader


def keys_parser() -> JobParser:
    """The parser of `pipelines.keys`, with a command for each thing that is done to keys."""
    parser = job_parser(
        "keys", "Make, show, extend and destroy keys, and say who may read what. docs/keys.md tells all of it."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (
        _add_create,
        _add_list,
        _add_rotate,
        _add_signing,
        _add_readers,
        _add_destroy,
        _add_lost,
        _add_holders,
        _add_wrap,
    ):
        add(commands)
    for command in commands.choices.values():
        add_wrapping_key_flag(command.add_argument)
    return parser


def _add_create(commands: Any) -> None:
    create = commands.add_parser("create", help="Make a key ring and the roles' private keys.")
    create.add_argument("--output", required=True, metavar="DIR", help="New folder; --key_ring of the other jobs.")
    create.add_argument("--start", type=check_month, metavar="YYYY-MM", help="First month. Default: last month.")
    create.add_argument("--months", type=whole_number(1, 600), default=14, help="How many months. Default: 14.")


def _add_list(commands: Any) -> None:
    listing = commands.add_parser("list", help="Show which keys there are and who can read what; never a key itself.")
    _add_ring(listing)


def _add_rotate(commands: Any) -> None:
    rotate = commands.add_parser("rotate", help="Add the months that follow, each with fresh keys.")
    _add_ring(rotate)
    _add_private(rotate)
    rotate.add_argument("--through", type=check_month, metavar="YYYY-MM",
                        help="Last month there shall be keys for, or an earlier one to add. Default: the month that is "
                        f"{MONTHS_AHEAD} months from now.")  # fmt: skip


def _add_signing(commands: Any) -> None:
    renew = commands.add_parser(
        "renew_signing",
        help="Sign with a new key from now on; the old one is retired. pipelines.sign then continues each output.",
    )
    _add_ring(renew)
    renew.add_argument("--reason", required=True, choices=REASONS,
                       help="leaked: who has the old key may have signed what lies in outputs. May be said later, "
                       "too.")  # fmt: skip
    renew.add_argument("--public_key", required=True, metavar="FILE",
                       help="Where the new public key is written, for all who verify.")  # fmt: skip
    renew.add_argument("--confirm", metavar="KEY",
                       help="The key that is retired, as `list` shows it; without it nothing is changed.")  # fmt: skip


def _add_readers(commands: Any) -> None:
    added = commands.add_parser("add_reader", help="Give a reader keys of her own in a role, from a month on.")
    removed = commands.add_parser(
        "remove_reader",
        help="Seal nothing more to a reader, from a month on. What was sealed to her before she can still read.",
    )
    for command in (added, removed):
        _add_ring(command)
        command.add_argument("--role", required=True, choices=ROLES)
        command.add_argument("--reader", required=True, type=check_reader, metavar="NAME")
    added.add_argument("--since", type=check_month, metavar="YYYY-MM", help="First month. Default: this month.")
    added.add_argument("--private_key", required=True, metavar="FILE", help="New file for the reader's private keys.")
    removed.add_argument("--from", dest="until", type=check_month, metavar="YYYY-MM",
                         help="First month without her. Default: next month.")  # fmt: skip


def _add_destroy(commands: Any) -> None:
    destroy = commands.add_parser(
        "destroy",
        help="Destroy a month's keys in the ring and with every holder: its pseudonyms can no longer be derived, its "
        "code no longer be read.",
    )
    _add_ring(destroy)
    _add_private(destroy)
    destroy.add_argument("--month", required=True, type=check_month, metavar="YYYY-MM")
    destroy.add_argument("--holder", action="append", default=[], metavar="FILE",
                         help="A holder's key file that lies elsewhere, or a copy of one; repeatable.")  # fmt: skip
    destroy.add_argument("--receipt", action="append", default=[], metavar="FILE",
                         help="What `keys forget` wrote for a holder; repeatable.")  # fmt: skip
    destroy.add_argument("--confirm", metavar="YYYY-MM", help="The same month; without it nothing is destroyed.")


def _add_lost(commands: Any) -> None:
    lost = commands.add_parser(
        "declare_lost",
        help="Write down that a holder's key file is lost. Then months can be destroyed without it, as far as can be "
        "shown.",
    )
    _add_ring(lost)
    lost.add_argument("--role", required=True, choices=ROLES)
    lost.add_argument("--reader", required=True, type=check_reader, metavar="NAME")
    lost.add_argument("--by", required=True, type=check_name, metavar="WHO", help="Who declares it; kept in the ring.")


def _add_holders(commands: Any) -> None:
    forget = commands.add_parser("forget", help="For a holder: remove a month from your key file, and sign for it.")
    merge = commands.add_parser("merge", help="For a holder: add the months of a new file to your key file.")
    for command in (forget, merge):
        command.add_argument("--private_key", required=True, metavar="FILE", help="Your key file.")
    forget.add_argument("--month", required=True, type=check_month, metavar="YYYY-MM")
    forget.add_argument("--receipt", required=True, metavar="FILE", help="Where the signed receipt is written.")
    forget.add_argument("--confirm", metavar="YYYY-MM", help="The same month; without it nothing is forgotten.")
    merge.add_argument("--more", required=True, metavar="FILE", help="The new file; it is removed afterwards.")


def _add_wrap(commands: Any) -> None:
    wrap = commands.add_parser("wrap", help="Wrap key files by a key from elsewhere, or by another one than before.")
    wrap.add_argument("--key_ring", metavar="DIR", help="Folder whose ring.json is wrapped.")
    wrap.add_argument("--private_key", action="append", default=[], metavar="FILE",
                      help="A holder's key file to wrap; repeatable.")  # fmt: skip
    wrap.add_argument("--with", dest="new", required=True, metavar="WHERE",
                      help="The key that wraps from now on: path or URL of an age identity, or command:PROGRAM. "
                      "--wrapping_key is the one of before.")  # fmt: skip


def _add_ring(command: Any) -> None:
    command.add_argument("--key_ring", required=True, metavar="DIR", help="Folder made by create.")


def _add_private(command: Any) -> None:
    command.add_argument("--private", metavar="DIR",
                         help="Folder of the roles' private keys. Default: private/ in the key ring.")  # fmt: skip
