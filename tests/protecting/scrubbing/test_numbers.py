"""Cards, IBANs and telephones, by the arithmetic of their standards written out slowly."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, scrub_text
from transforms.core.protecting.scrubbing.numbers import _luhn, _mod_97


def scrubbed(text: str) -> tuple[str, Counter[str]]:
    counts: Counter[str] = Counter()
    return scrub_text(text, CODE, counts), counts


def slow_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: double every second digit from the right, and add the digits of the products."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        product = int(digit) * (2 if place % 2 else 1)
        total += sum(int(d) for d in str(product))
    return total % 10 == 0


def slow_mod_97(iban: str) -> bool:
    """ISO 13616: the first four characters go to the end, letters become two digits, long division by 97."""
    rest = 0
    for character in iban[4:] + iban[:4]:
        for digit in str(int(character, 36)):
            rest = (rest * 10 + int(digit)) % 97
    return rest == 1


@given(st.text(alphabet="0123456789", min_size=1, max_size=24))
def test_the_check_digit_of_cards(digits: str) -> None:
    assert _luhn(digits.encode()) == slow_luhn(digits)


@given(st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=5, max_size=34))
def test_the_check_digits_of_ibans(iban: str) -> None:
    assert _mod_97(iban.encode()) == slow_mod_97(iban)


ISSUERS = [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("36", 14), ("3000", 14), ("62", 16),
           ("6011", 16), ("65", 16), ("3528", 16), ("50", 16), ("67", 16), ("4", 19), ("62", 19)]  # fmt: skip


def card(prefix: str, size: int, filler: str) -> str:
    body = (prefix + filler)[: size - 1]
    return next(body + str(d) for d in range(10) if slow_luhn(body + str(d)))


@given(
    st.sampled_from(ISSUERS), st.text(alphabet="0123456789", min_size=19, max_size=19), st.sampled_from(["", " ", "-"])
)
def test_every_issuers_cards_go_and_with_a_wrong_digit_stay(issuer: tuple[str, int], filler: str, sign: str) -> None:
    prefix, size = issuer
    digits = card(prefix, size, filler)
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    sizes = [4, 6, 5] if size == 15 else [4, 6, 4] if size == 14 else [4] * 4 + [3]
    for number, goes in ((digits, True), (wrong, False)):
        if size == 19 and (not sign or slow_luhn(digits[:16])):
            continue
        groups, rest = [], number
        for n in sizes:
            groups.append(rest[:n])
            rest = rest[n:]
        text = f"pay {sign.join(filter(None, groups))};"
        _, counts = scrubbed(text)
        assert bool(counts["card_number"]) == goes, text


KNOWN_IBANS = ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947", "MT84MALT011000012345MTLCAST001S",
               "PL61109010140000071219812874", "CH9300762011623852957", "NL91ABNA0417164300", "BR1800360305000010009795493C1"]  # fmt: skip


@pytest.mark.parametrize("iban", KNOWN_IBANS)
def test_ibans_of_the_registry(iban: str) -> None:
    spaced = " ".join(iban[n : n + 4] for n in range(0, len(iban), 4))
    for text in (iban, spaced, spaced.replace(" ", "-")):
        assert scrubbed(f"to {text}, now")[0] == "to <REDACTED:iban>, now"
    wrong = iban[:-1] + ("1" if iban[-1] != "1" else "2")
    assert "iban" not in scrubbed(f"to {wrong}, now")[1]


@pytest.mark.parametrize(
    ("text", "goes"),
    [("+49 178 5439146", True), ("+1 415 555 2671", True), ("0049 178 5439146", True), ("(415) 555-2671", True), ("415.555.2671", True),
     ("+353 85 012 3456", True), ("+12345678", False), ("1+491785439146", False), ("+49 1785439146x", False), ("+00 178 5439146", False),
     ("115-555-2671", False), ("+1111111111", False), ("415-555-26711", False), ("+49.17854391", False), ("x+44 20 7946 0958", False)],
)  # fmt: skip
def test_telephones(text: str, goes: bool) -> None:
    assert bool(scrubbed(f"call {text} now")[1]["phone"]) == goes


@pytest.mark.parametrize(
    "text",
    [
        "1234567890123456",
        "0.4242424242424242",
        "4242424242424242.5",
        "a4242424242424242",
        "4242424242424242_",
        "0000 0000 0000 0000",
    ],
)
def test_numbers_of_ordinary_code_stay(text: str) -> None:
    assert scrubbed(text)[0] == text


def test_a_card_of_16_digits_with_its_code_of_three() -> None:
    assert scrubbed("4242 4242 4242 4242 123")[0] == "<REDACTED:card_number> 123"
    assert scrubbed("4000 0000 0000 0000 006")[0] == "<REDACTED:card_number>"
