"""Keys: make, show, extend and destroy what protects the datasets, and say who may read what.

python -m pipelines.keys create --output keys/
python -m pipelines.keys list --key_ring keys/
python -m pipelines.keys rotate --key_ring keys/
python -m pipelines.keys renew_signing --key_ring keys/ --reason routine --public_key signing.pub
python -m pipelines.keys add_reader --key_ring keys/ --role completions --reader alice --private_key alice.json
python -m pipelines.keys remove_reader --key_ring keys/ --role completions --reader alice
python -m pipelines.keys forget --private_key alice.json --month 2026-01 --receipt alice-2026-01.json
python -m pipelines.keys declare_lost --key_ring keys/ --role completions --reader alice --by "Carol Smith"
python -m pipelines.keys destroy --key_ring keys/ --month 2026-01 --receipt alice-2026-01.json
"""

import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence

from pipelines.keeping import destroying, holding, readers
from pipelines.keeping.declaring import declare_lost, lost_described, not_proven_line
from pipelines.keeping.files import (
    PRIVATE_FOLDER,
    holder_names,
    private_path,
    reader_warnings,
    ring_path,
    sweep_beside,
    write_holder,
    write_ring,
)
from pipelines.keeping.flags import keys_parser
from pipelines.keeping.months import MONTHS_AHEAD, create, relative_month, rotate, spans
from pipelines.keeping.signing_key import renew, signing_described, signing_key_of
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions, NotProven
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.roles import OPERATORS
from transforms.core.keys.wrapping import new_envelope
from transforms.core.keys.wrapping_keys import place_of

__all__ = ["create", "destroy", "main", "rotate"]


def destroy(
    folder: str, private_folder: str, month: str, holders: Iterable[str] = (), receipts: Iterable[str] = ()
) -> None:
    """Destroys a month's epoch secret, and the private keys of that month with every holder.

    The ring remembers that it was destroyed, so that rotate never makes it anew. Raises InvalidOptions, and destroys
    nothing, where a holder is not accounted for.
    """
    destroying.destroy(folder, _plan(folder, private_folder, month, holders, receipts))


def _plan(
    folder: str, private_folder: str, month: str, holders: Iterable[str], receipts: Iterable[str]
) -> destroying.Plan:
    ring = keyring.load(folder)
    return destroying.plan_of(ring, month, [*destroying.files_in(ring, private_folder), *holders], receipts)


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = keys_parser().parse_args(list(argv))
    for line in _done(args):
        print(line)


def _done(args: Namespace) -> Iterable[str]:
    """Does what was asked; returns the lines that say so."""
    if args.command in ("create", "forget", "merge", "wrap"):
        return _WITHOUT_RING[args.command](args)
    ring = keyring.load(args.key_ring)
    args.private = getattr(args, "private", None) or storage.join(args.key_ring, PRIVATE_FOLDER)
    paths = [ring_path(args.key_ring), *(private_path(args.private, holder) for holder in holder_names(ring))]
    for line in reader_warnings(paths):
        print(line, file=sys.stderr)
    if args.command != "list":
        for held in (args.key_ring, args.private):
            storage.sweep(held)  # what a killed run left half holds keys, too
    return _WITH_RING[args.command](args)


def _create(args: Namespace) -> list[str]:
    create(args.output, args.start or relative_month(-1), args.months, args.wrapping_key)
    return [
        f"made {ring_path(args.output)}: {spans([*keyring.load(args.output).epochs])}",
        f"private keys of the roles are in {storage.join(args.output, PRIVATE_FOLDER)}: keep them elsewhere",
    ]


def _list(args: Namespace) -> list[str]:
    ring = keyring.load(args.key_ring)
    going = f"; being destroyed, finish it: {', '.join(sorted(ring.destroying))}" if ring.destroying else ""
    destroyed = sorted({*ring.destroyed} - {*ring.not_proven})
    return [
        f"check value {ring.check_value}; edition {ring.edition}; {'wrapped' if ring.envelope else 'not wrapped'}; "
        + ("signs" if ring.signing else "signs nothing before it is rotated"),
        f"epochs {spans([*ring.epochs])} ({len(ring.epochs)}); destroyed: {', '.join(destroyed) or 'none'}{going}",
        *signing_described(ring),
        *readers.readers_described(ring),
        *lost_described(ring),
    ]


def _rotate(args: Namespace) -> list[str]:
    added = rotate(args.key_ring, args.private, args.through or relative_month(MONTHS_AHEAD))
    return [f"added {len(added)} months: {', '.join(added) or 'all were there'}"]


def _renew_signing(args: Namespace) -> list[str]:
    if not args.confirm:
        old = shown_key(signing_key_of(keyring.load(args.key_ring)).public_key)
        return [f"would retire the signing key {old} for ever ({args.reason}); to do it add --confirm {old}"]
    signer = signing_key_of(renew(args.key_ring, args.confirm, args.reason, args.public_key))
    return [
        f"the ring signs with {shown_key(signer.public_key)}; the public key is in {args.public_key}: give it to all "
        f"who verify. The key {args.confirm} is retired ({args.reason})",
        "no job writes to an output that the old key has signed before it is continued: python -m pipelines.sign "
        f"--datasets OUTPUT --key_ring {args.key_ring}",
    ]


def _add_reader(args: Namespace) -> list[str]:
    since = args.since or relative_month(0)
    months = readers.add_reader(args.key_ring, args.role, args.reader, since, args.private_key, args.wrapping_key)
    told = "what is put aside from now on" if args.role == OPERATORS else f"{args.role} of {spans(months)}"
    return [f"{args.reader} reads {told} with {args.private_key}: give it to her alone"]


def _remove_reader(args: Namespace) -> list[str]:
    until = args.until or relative_month(0 if args.role == OPERATORS else 1)
    readers.remove_reader(args.key_ring, args.role, args.reader, until)
    return [f"nothing of {args.role} is sealed to {args.reader} from {until} on; what was sealed before she can read"]


def _destroy(args: Namespace) -> list[str]:
    plan = _plan(args.key_ring, args.private, args.month, args.holder, args.receipt)
    destroying.refuse_missing(plan)
    if args.confirm != args.month:
        files = [f"would remove it from {path} ({keys.holder})" for path, keys in plan.files]
        return [*files, *(f"{holder} has signed that it is gone" for holder in sorted(plan.signed)),
                *(f"not proven: {lost.told}" for lost in plan.lost), _would_destroy(plan)]  # fmt: skip
    destroying.destroy(args.key_ring, plan)
    if plan.lost:
        raise NotProven(not_proven_line(keyring.load(args.key_ring), args.month))
    return [f"destroyed the keys of {args.month}; copies of key files that somebody kept are not reached"]


def _would_destroy(plan: destroying.Plan) -> str:
    what = (
        "remove the keys of {} where they are known to be, for ever" if plan.lost else "destroy the keys of {} for ever"
    )
    return f"would {what.format(plan.month)}; to do it add --confirm {plan.month}"


def _declare_lost(args: Namespace) -> list[str]:
    lost = declare_lost(args.key_ring, args.role, args.reader, args.by)
    return [
        f"{lost.told}: {spans([*lost.months])}; whether somebody has a copy of it nobody knows",
        f"where {args.reader} still reads, remove_reader ends it, and add_reader gives other keys under another name",
    ]


def _forget(args: Namespace) -> list[str]:
    holding.check_forgettable(args.private_key, args.month)
    if args.confirm != args.month:
        return [f"would remove {args.month} from {args.private_key} for ever; to do it add --confirm {args.month}"]
    holding.forget(args.private_key, args.month, args.receipt)
    return [f"{args.private_key} has no key of {args.month} any more; send {args.receipt} to who destroys the month"]


def _merge(args: Namespace) -> list[str]:
    return [f"added {spans(holding.merge(args.private_key, args.more))} to {args.private_key}"]


def _wrap(args: Namespace) -> list[str]:
    if not args.key_ring and not args.private_key:
        raise InvalidOptions("wrap: name what is wrapped, by --key_ring or --private_key")
    where = place_of(args.new)
    wrapped = [*args.private_key, *([ring_path(args.key_ring)] if args.key_ring else [])]
    sweep_beside(wrapped)
    for path in args.private_key:
        keys = load_private(path)
        keys.envelope = new_envelope(where)
        write_holder(path, keys)
    if args.key_ring:
        ring = keyring.load(args.key_ring)
        ring.envelope = new_envelope(where)
        write_ring(args.key_ring, ring)
    return [f"{path} opens with {where} alone" for path in wrapped]


_WITHOUT_RING = {"create": _create, "forget": _forget, "merge": _merge, "wrap": _wrap}
_WITH_RING = {"list": _list, "rotate": _rotate, "renew_signing": _renew_signing, "add_reader": _add_reader,
              "remove_reader": _remove_reader, "declare_lost": _declare_lost, "destroy": _destroy}  # fmt: skip


if __name__ == "__main__":
    run_job(main)
