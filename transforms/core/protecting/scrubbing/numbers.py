"""Numbers that belong to a person: telephones by country code, cards by their check digit, IBANs by mod 97."""

from collections.abc import Iterable

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span, compiled

_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_WORD_OR_SPACE = _WORD | frozenset(b" -")
_COUNTRY_CODES = frozenset(
    b"1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84"
    b" 86 90 91 92 93 94 95 98".split()
)  # those of one and two digits; of three, all begin with one of the next
_THREE_DIGIT_ZONES = frozenset(b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99".split())
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST",
        26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA",
        30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip
_CARD_GROUPS = compiled(
    r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -](?:[0-9]{4}[ -][0-9]{3}|[0-9]{1,7})"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{14,16}"
)
_GROUPED_19_BYTES = 23
_STEPS_A_LOOK = 3
"""Of a long run of digits; tables of numbers are nothing else."""

_NATIONAL = compiled(r"\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}")


def _alone(text: bytes, start: int, end: int, *, also: bytes = b"") -> bool:
    """Whether no letter or digit stands at either side, nor one of `also`."""
    around = text[start - 1 : start] + text[end : end + 1]
    return not any(c in _WORD or c in also for c in around)


def _phones(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        run = text[start : min(end, start + 32)]
        while run and not 48 <= run[-1] <= 57:
            run = run[:-1]
        if not run or not _alone(text, start, start + len(run), also=b"+/"):
            continue
        last = start + len(run)
        run = b"+" + run[2:] if run[:2] == b"00" else run
        good = _international(run) if run[:1] == b"+" else bool(_NATIONAL.fullmatch(run))
        if good:
            yield Span(start, last, "phone")


def _international(run: bytes) -> bool:
    digits = bytes(c for c in run if 48 <= c <= 57)
    if not 9 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    if digits[:1] not in (b"1", b"7") and digits[:2] not in _COUNTRY_CODES and digits[:2] not in _THREE_DIGIT_ZONES:
        return False
    groups = run[1:].translate(bytes.maketrans(b"().-/", b"     ")).split()
    if len(groups) == 1:
        return len(digits) >= 10
    doubled = any(pair in run for pair in (b"  ", b"--", b"..", b" -", b"- ", b". ", b" ."))
    decimal = len(groups) == 2 and b"." in run
    return not doubled and not decimal and len(groups[0]) <= 4 and sum(len(g) == 1 for g in groups[1:]) <= 1


def _cards(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        at, steps = start, 0
        while match := _CARD_GROUPS.search(text, at, end):
            steps += 1
            if steps % _STEPS_A_LOOK == 0 and not heads.goes_on(at):
                break
            first, last = match.span()
            end_of_card = next((e for e in _ends(first, last) if _is_card_at(text, first, e)), None)
            if end_of_card is not None:
                yield Span(first, end_of_card, "card_number")
                at = end_of_card
            else:
                at = first + 5 if last - first > 16 else last


def _ends(first: int, last: int) -> tuple[int, ...]:
    """Where a card may end: four groups and three digits are one of 19 digits, or one of 16 and its code."""
    return (last, last - 4) if last - first == _GROUPED_19_BYTES else (last,)


def _is_card_at(text: bytes, first: int, last: int) -> bool:
    return _is_card(text[first:last].translate(None, b" -")) and _alone(text, first, last, also=b".")


def _is_card(digits: bytes) -> bool:
    two, four = int(digits[:2]), int(digits[:4])
    size = len(digits)
    known = (
        (digits[:1] == b"4" and size in (16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((two in (36, 38, 39) or 3000 <= four <= 3059) and size == 14)
        or ((two in (62, 64, 65, 81) or four == 6011 or 3528 <= four <= 3589) and size in (16, 19))
        or (two in (50, 56, 57, 58, 63, 67) and size in (16, 19))
    )
    return known and len(set(digits)) > 1 and _luhn(digits)


_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
"""Of a digit the sum of the digits of its double."""


def _luhn(digits: bytes) -> bool:
    total = sum(digits[-1::-2]) - ord("0") * ((len(digits) + 1) // 2) + sum(digits[-2::-2].translate(_DOUBLED))
    return total % 10 == 0


def _ibans(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, _ in heads:
        length = _IBAN_LENGTHS.get(text[start : start + 2].decode(), 0)
        compact, at = b"", start
        while len(compact) < length and at < len(text) and text[at] in _WORD_OR_SPACE:
            compact += text[at : at + 1].strip(b" -_")
            at += 1
        if length and len(compact) == length and _alone(text, start, at) and _mod_97(compact.upper()):
            yield Span(start, at, "iban")


def _mod_97(iban: bytes) -> bool:
    return int("".join(str(int(chr(c), 36)) for c in iban[4:] + iban[:4])) % 97 == 1


PHONE = Detector.of(
    "phone",
    r"(?:\+|\b00[1-9][0-9]{0,2} )[0-9(][0-9 ().\-/]+[0-9]|\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}",
    _phones,
)
CARD = Detector.of("card", r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[0-9 -]*|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}", _cards)
IBAN = Detector.of("iban", r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{3}", _ibans)
