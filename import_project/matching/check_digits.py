"""Check digits that references carry. What a reference with one stands for is said in `references`."""

_LUHN_TWICE = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_SEVEN_THREE_ONE = (7, 3, 1)
_ELEVEN = (2, 3, 4, 5, 6, 7)
_SWISS = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)


def luhn(digits: str) -> str:
    """Return the check digit of modulus 10: Swedish OCR, Norwegian KID (Bankgirot, Bits)."""
    total = sum(_LUHN_TWICE[int(d)] if place % 2 == 0 else int(d) for place, d in enumerate(reversed(digits)))
    return str(-total % 10)


def eleven(digits: str) -> str:
    """Return the check digit of modulus 11 with weights 2 to 7, `-` for ten: Norwegian KID (Bits)."""
    total = sum(int(d) * _ELEVEN[place % 6] for place, d in enumerate(reversed(digits)))
    return "0123456789-0"[11 - total % 11]


def seven_three_one(digits: str) -> str:
    """Return the check digit of a Finnish viitenumero (Finance Finland)."""
    total = sum(int(d) * _SEVEN_THREE_ONE[place % 3] for place, d in enumerate(reversed(digits)))
    return str(-total % 10)


def swiss(digits: str) -> str:
    """Return the check digit of a Swiss QR reference: modulus 10, recursive (SIX, annex B)."""
    carry = 0
    for digit in digits:
        carry = _SWISS[(carry + int(digit)) % 10]
    return str(-carry % 10)


def creditor_reference(inner: str) -> str:
    """Return the ISO 11649 form of a reference in capitals and digits: RF, two check digits, and itself."""
    return f"RF{98 - _ninety_seven(inner + 'RF00'):02}{inner}"


def is_creditor_reference(text: str) -> bool:
    """Whether a text is a sound ISO 11649 reference, without blanks and in capitals."""
    plain = text.isascii() and text.isalnum()
    return plain and 5 <= len(text) <= 25 and text[:2] == "RF" and _ninety_seven(text[4:] + text[:4]) == 1


def _ninety_seven(text: str) -> int:
    return int("".join(str(int(c, 36)) for c in text)) % 97
