"""What a holder does with her own key file: forget a month, and take the months that were made for her."""

from pipelines.keeping.files import sweep_beside, write_holder
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.receipts import Receipt, receipt_bytes, sign_forgotten


def check_forgettable(path: str, month: str) -> None:
    """Raises InvalidOptions where the file has no key of the month and never forgot one, or cannot sign."""
    keys = load_private(path)
    if month in keys.forgotten:
        return
    if month not in keys.keys:
        raise InvalidOptions(f"--month {month}: {path} has no key of it")
    if keys.receipt_key is None:
        raise InvalidOptions(
            f"--private_key {path}: it has no key that signs receipts, as it was made by an older version or holds new "
            "months alone; give the file itself to `keys destroy --holder`"
        )


def forget(path: str, month: str, receipt_to: str) -> None:
    """Removes a month's private key from the file, and writes the receipt after it.

    The signature stays in the file: of a run that was killed between, the same command writes the receipt.
    """
    check_forgettable(path, month)
    sweep_beside([path, receipt_to])
    keys = load_private(path)
    if month not in keys.forgotten and keys.receipt_key is not None:
        keys.forgotten[month] = sign_forgotten(keys, month, keys.receipt_key)
        del keys.keys[month]
        write_holder(path, keys)
    receipt = Receipt(keys.role, keys.reader, month, keys.forgotten[month])
    storage.write_atomic(receipt_to, receipt_bytes(receipt))


def merge(path: str, more: str) -> list[str]:
    """Adds the months of a file that `rotate` made to the holder's own, then removes that file; returns the months.

    A month that was forgotten is not brought back. Raises InvalidOptions where the files are of two holders, or a month
    has two keys.
    """
    sweep_beside([path])
    keys, others = load_private(path), load_private(more)
    if others.holder != keys.holder:
        raise InvalidOptions(f"--more {more}: it is the key file of {others.holder}, and {path} that of {keys.holder}")
    if odd := sorted(m for m in {*keys.keys} & {*others.keys} if keys.keys[m] != others.keys[m]):
        raise InvalidOptions(f"--more {more}: its key of {odd[0]} is another one than that in {path}")
    added = sorted({*others.keys} - {*keys.keys} - {*keys.forgotten})
    keys.keys.update({month: others.keys[month] for month in added})
    keys.receipt_key = keys.receipt_key or others.receipt_key
    write_holder(path, keys)
    storage.remove(more)
    return added
