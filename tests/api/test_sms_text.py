"""Vectors from 3GPP TS 23.038 (alphabets) and TS 23.040 (lengths, parts)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api.sms_text import (
    GSM_7BIT,
    GSM_7BIT_EXTENSION,
    Sender,
    SmsPart,
    is_gsm,
    parse_sender,
    septets,
    split_text,
)

# TS 23.038, 6.2.1: rows b4..b1, columns b7..b5; the escape at 0x1B is no character.
TABLE = {
    0x00: "@", 0x01: "£", 0x02: "$", 0x03: "¥", 0x04: "è", 0x05: "é", 0x06: "ù", 0x07: "ì", 0x08: "ò",
    0x09: "Ç", 0x0A: "\n", 0x0B: "Ø", 0x0C: "ø", 0x0D: "\r", 0x0E: "Å", 0x0F: "å", 0x10: "Δ", 0x11: "_",
    0x12: "Φ", 0x13: "Γ", 0x14: "Λ", 0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1A: "Ξ",
    0x1C: "Æ", 0x1D: "æ", 0x1E: "ß", 0x1F: "É", 0x24: "¤", 0x40: "¡", 0x5B: "Ä", 0x5C: "Ö", 0x5D: "Ñ",
    0x5E: "Ü", 0x5F: "§", 0x60: "¿", 0x7B: "ä", 0x7C: "ö", 0x7D: "ñ", 0x7E: "ü", 0x7F: "à",
}  # fmt: skip
# 6.2.1.1: the code after the escape.
EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
    0x65: "€",
}  # fmt: skip
EMOJI = "😀"  # U+1F600: D83D DE00


def test_the_default_alphabet_has_the_127_characters_of_the_table() -> None:
    ascii_ones = {chr(code) for code in range(0x20, 0x7B) if code not in TABLE and code != 0x1B}
    assert set(TABLE.values()) | ascii_ones == GSM_7BIT
    assert len(GSM_7BIT) == 127
    assert set(EXTENSION.values()) == GSM_7BIT_EXTENSION


@pytest.mark.parametrize("character", ["`", "ç", "á", "Ê", "„", "\u2019", "\t", "\x1b", "\xa0", "я", EMOJI])
def test_a_character_of_neither_table_needs_ucs2(character: str) -> None:
    assert not is_gsm(character)
    assert split_text(character) == [SmsPart(character, 8)]


@pytest.mark.parametrize(
    ("text", "lengths", "dcs"),
    [
        ("a", [1], 0),
        ("a" * 160, [160], 0),
        ("a" * 161, [153, 8], 0),
        ("a" * 306, [153, 153], 0),
        ("a" * 307, [153, 153, 1], 0),
        ("a" * 153 * 255, [153] * 255, 0),
        ("я" * 70, [70], 8),
        ("я" * 71, [67, 4], 8),
        ("я" * 134, [67, 67], 8),
        ("я" * 135, [67, 67, 1], 8),
        ("a" * 69 + "я", [70], 8),
        ("a" * 70 + "я", [67, 4], 8),
    ],
    ids=lambda value: f"{value[0]} x {len(value)}" if isinstance(value, str) else None,
)
def test_a_text_has_as_many_parts_as_it_needs(text: str, lengths: list[int], dcs: int) -> None:
    parts = split_text(text)
    assert [len(part.payload) for part in parts] == lengths
    assert {part.dcs for part in parts} == {dcs}


@pytest.mark.parametrize("character", sorted(GSM_7BIT_EXTENSION))
def test_the_extension_table_counts_twice(character: str) -> None:
    assert septets(character) == 2
    assert split_text(character * 80) == [SmsPart(character * 80, 0)]
    assert [len(part.payload) for part in split_text(character * 80 + "a")] == [76, 5]


def test_an_escape_and_its_character_are_never_in_two_parts() -> None:
    first, second = split_text("a" * 152 + "€" + "b" * 20)
    assert first.payload == "a" * 152
    assert second.payload == "€" + "b" * 20
    first, second = split_text("a" * 151 + "€" + "b" * 20)
    assert first.payload == "a" * 151 + "€"


def test_a_surrogate_pair_counts_twice_and_is_never_in_two_parts() -> None:
    assert split_text(EMOJI * 35) == [SmsPart(EMOJI * 35, 8)]
    assert [len(part.payload) for part in split_text(EMOJI * 36)] == [33, 3]
    first, second = split_text("я" * 66 + EMOJI + "я" * 10)
    assert (first.payload, second.payload) == ("я" * 66, EMOJI + "я" * 10)
    first, second = split_text("я" * 65 + EMOJI + "я" * 10)
    assert first.payload == "я" * 65 + EMOJI


def test_the_header_has_reference_total_and_number() -> None:
    headers = [part.udh for part in split_text("a" * 400, reference=0xCC)]
    assert headers == ["050003CC0301", "050003CC0302", "050003CC0303"]
    assert [part.udh for part in split_text("a" * 161, reference=7)] == ["050003070201", "050003070202"]
    assert split_text("a" * 161)[0].udh == "050003000201"


def test_one_message_has_no_header() -> None:
    assert split_text("a" * 160, reference=9) == [SmsPart("a" * 160, 0, None)]


@pytest.mark.parametrize("text", ["", None, 7, "\ud83d", "ok \ude00", "a" * (153 * 255 + 1)])
def test_what_cannot_be_sent_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="text: "):
        split_text(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("reference", [-1, 256])
def test_a_reference_is_one_octet(reference: int) -> None:
    with pytest.raises(ValueError, match="reference"):
        split_text("a", reference)


@given(st.text(alphabet=st.sampled_from([*"ab€{я😀\n"]), min_size=1, max_size=2000), st.integers(0, 255))
def test_the_parts_are_the_text_and_each_fits(text: str, reference: int) -> None:
    parts = split_text(text, reference)
    assert "".join(part.payload for part in parts) == text
    for part in parts:
        room = (160 if part.dcs == 0 else 70) if len(parts) == 1 else (153 if part.dcs == 0 else 67)
        size = septets(part.payload) if part.dcs == 0 else len(part.payload.encode("utf-16-be")) // 2
        assert size <= room
        assert (part.udh is None) is (len(parts) == 1)


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        ("12345689", Sender("12345689")),
        (12345689, Sender("12345689")),
        ("+491701234567", Sender("491701234567", 145)),
        ("883" + "1" * 12, Sender("883" + "1" * 12)),
        ("CompanyName", Sender("CompanyName", 208)),
        ("Pump 7", Sender("Pump 7", 208)),
        ("€€€€€a", Sender("€€€€€a", 208)),
    ],
)
def test_a_sender_is_a_number_or_a_name(value: object, sender: Sender) -> None:
    assert parse_sender(value) == sender


@pytest.mark.parametrize(
    "value", ["CompanyNames", "€€€€€€", "  ", "Ünïted", "\n", "1" * 16, "+" + "1" * 16, True, 1.5, ["a"]]
)
def test_any_other_sender_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="source_address: "):
        parse_sender(value)
