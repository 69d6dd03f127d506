"""The text of a file of records, piece by piece: unpacked and decoded, with a note of where it is damaged."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from io import BufferedReader
from typing import IO, Any

LONGEST = 4 * 1024 * 1024
"""Characters that one record may have."""

_GZIP = b"\x1f\x8b"
_PIECE = 64 * 1024
_NOT_TEXT = re.compile("[\ud800-\udfff]")


class RecordText:
    """What a file says, in pieces.

    :param file: Its bytes, compressed with gzip or not. It stays its owner's to close.
    """

    def __init__(self, file: IO[bytes]) -> None:
        raw: Any = file
        self._plain = BufferedReader(raw)  # room to look ahead
        packed: Any = gzip.GzipFile(fileobj=self._plain) if self._plain.peek(2)[:2] == _GZIP else None
        self._source: Any = packed or self._plain
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._ahead = ""
        self.damage: str | None = None

    def read(self) -> str:
        """Return the next piece; nothing at the end, and where the file is damaged."""
        if self._ahead:
            piece, self._ahead = self._ahead, ""
            return piece
        while self.damage is None:
            try:
                body = self._source.read1(_PIECE)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self.damage = f"the file is damaged from here on ({error})"
                body = b""
            piece = self._decoder.decode(body, final=not body)
            if piece or not body:
                return piece
        return ""

    def peek(self) -> str:
        """Return the beginning of what is left, without blanks, and take nothing but these."""
        while not self._ahead:
            piece = self.read()
            if not piece:
                return ""
            self._ahead = piece.lstrip(" \t\r\ufeff") if piece.strip(" \t\r\n\ufeff") else ""
        return self._ahead

    def detach(self) -> None:
        """Leave the file to its owner."""
        self._plain.detach()


def is_text(value: str) -> bool:
    """Tell whether all of it was UTF-8."""
    return value.isascii() or _NOT_TEXT.search(value) is None


def shown(value: str) -> str:
    """Return text as it can be written, with a mark for what was no UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
