"""How a text becomes short messages: alphabet, length, parts, and who it comes from.

3GPP TS 23.038 has the alphabets: GSM 7 bit, with an extension table whose characters take two septets, and
UCS-2 for all other texts. 3GPP TS 23.040 has the parts: a message has 140 octets; in each part of a longer
one, 6 of them are a header with the text's reference number, the number of parts, and which part it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GSM_7BIT = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters of the GSM 7 bit default alphabet: one septet each."""

GSM_7BIT_EXTENSION = frozenset("\f^{}\\[~]|€")
"""The characters of its extension table: an escape and one more septet each."""

_GSM = GSM_7BIT | GSM_7BIT_EXTENSION

MOST_PARTS = 255
DCS_GSM_7BIT = 0
DCS_UCS2 = 8
ALPHANUMERIC = 208
INTERNATIONAL = 145

_HEADER = "050003"  # five octets follow: element 00 (concatenation, 8 bit reference), three octets long
_REFERENCES = frozenset({(0x00, 3), (0x08, 4)})  # elements that say which part it is, and their octets
_LONGEST_NAME = 11  # septets that fit into an address
_NUMBER = re.compile(r"\+?[0-9]{1,15}")


@dataclass(frozen=True)
class SmsPart:
    """One short message.

    :param payload: Its text.
    :param dcs: Data coding scheme: 0 is GSM 7 bit, 8 is UCS-2.
    :param udh: User data header in hexadecimal digits, ``050003RRTTNN``; None when the text has one part.
    """

    payload: str
    dcs: int
    udh: str | None = None

    @property
    def alphabet(self) -> str:
        """The name of its alphabet."""
        return "GSM 7 bit" if self.dcs == DCS_GSM_7BIT else "UCS-2"


@dataclass(frozen=True)
class Sender:
    """Who a message comes from.

    :param address: A number, or a name.
    :param type_id: emnify's type of it: 208 for a name, 145 for an international number; None: emnify's own.
    """

    address: str
    type_id: int | None = None


@dataclass(frozen=True)
class PartHeader:
    """Which part of a long text a short message is.

    :param reference: What the parts have in common, for one device and number.
    :param total: How many parts there are.
    :param number: Which one it is, from 1.
    :param octets: Those of the reference, 1 or 2: they are counted apart.
    """

    reference: int
    total: int
    number: int
    octets: int = 1

    @property
    def text(self) -> tuple[int, int, int]:
        """What tells one text of a device from its others."""
        return self.octets, self.reference, self.total


def parse_udh(header: Any) -> PartHeader | None:
    """Return which part of a long SMS a user data header says it is; None for a whole one.

    :param header: Hexadecimal digits, as ``050003CC0201``: part 1 of 2 of CC.
    """
    try:
        octets = bytes.fromhex(header)
    except (TypeError, ValueError):
        return None
    at, end = 1, min(octets[0] + 1, len(octets)) if octets else 0
    while at + 1 < end:
        element, length = octets[at], octets[at + 1]
        value = octets[at + 2 : at + 2 + length]
        if len(value) == length and (element, length) in _REFERENCES:
            total, number = value[-2:]
            part = PartHeader(int.from_bytes(value[:-2], "big"), total, number, length - 2)
            return part if 1 <= number <= total and total > 1 else None
        at += 2 + length
    return None


def split_text(text: str, reference: int = 0) -> list[SmsPart]:
    """Return the short messages that carry a text, in order.

    160 septets of GSM 7 bit or 70 units of UCS-2 fit into one message; in parts, 153 or 67 fit into each.
    Nothing that takes two of them (a character of the extension table, a surrogate pair) is cut in two.

    :param reference: What the parts of one text have in common, 0 to 255.
    :raises ValueError: for an empty text, one of more than 255 parts, or one that is not Unicode.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"text: {text!r} is not a valid text; give one that is not empty")
    if not 0 <= reference <= 0xFF:  # noqa: PLR2004 - one octet
        raise ValueError(f"reference: {reference!r} is not from 0 to 255")
    if is_gsm(text):
        sizes = [2 if character in GSM_7BIT_EXTENSION else 1 for character in text]
        dcs, whole, part = DCS_GSM_7BIT, 160, 153
    elif any(0xD800 <= ord(character) <= 0xDFFF for character in text):  # noqa: PLR2004 - Unicode's own numbers
        raise ValueError("text: it holds half of a surrogate pair, which is not a character")
    else:
        sizes = [len(character.encode("utf-16-be")) // 2 for character in text]
        dcs, whole, part = DCS_UCS2, 70, 67
    if sum(sizes) <= whole:
        return [SmsPart(text, dcs)]
    parts = list(_cut(text, sizes, part))
    if len(parts) > MOST_PARTS:
        raise ValueError(f"text: it would take {len(parts)} messages, and {MOST_PARTS} is the most")
    return [
        SmsPart(payload, dcs, f"{_HEADER}{reference:02X}{len(parts):02X}{number:02X}")
        for number, payload in enumerate(parts, start=1)
    ]


def is_gsm(text: str) -> bool:
    """Tell whether the GSM 7 bit alphabet and its extension table have all characters of a text."""
    return _GSM.issuperset(text)


def septets(text: str) -> int:
    """Return how many septets a text of the GSM 7 bit alphabet takes."""
    return len(text) + sum(map(text.count, GSM_7BIT_EXTENSION))


def parse_sender(value: Any, field: str = "source_address") -> Sender:
    """Return who a message is to come from.

    :param value: A number of at most 15 digits, with ``+`` before an international one; or a name of at most
        11 characters of the GSM 7 bit alphabet (those of the extension table count twice).
    :raises ValueError: naming ``field``, for anything else.
    """
    if isinstance(value, Sender):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{field}: {value!r} is neither a number nor a name")  # noqa: TRY004 - as all bad arguments
    address = str(value).strip()
    if _NUMBER.fullmatch(address):
        return Sender(address[1:], INTERNATIONAL) if address[0] == "+" else Sender(address)
    if re.fullmatch(r"\+?[0-9]+", address):
        raise ValueError(f"{field}: {value!r} has more than the 15 digits that a number may have")
    if not address or not is_gsm(address) or not address.isprintable():
        raise ValueError(f"{field}: {value!r} is not a valid sender; use the GSM 7 bit alphabet")
    if septets(address) > _LONGEST_NAME:
        raise ValueError(
            f"{field}: {value!r} takes {septets(address)} characters, and a name may have {_LONGEST_NAME}"
        )
    return Sender(address, ALPHANUMERIC)


def _cut(text: str, sizes: Iterable[int], most: int) -> Iterable[str]:
    begin = used = 0
    for end, size in enumerate(sizes):
        if used + size > most:
            yield text[begin:end]
            begin, used = end, 0
        used += size
    yield text[begin:]
