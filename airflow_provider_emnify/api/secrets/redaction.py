"""Takes secrets out of what is shown, in every form in which an API or a proxy may repeat them."""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

# An auth token that is not known yet, whole or cut: what every JWT begins with.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_=-]*)*")
_SIGNS = re.compile(r"\\[rnt]|[\W_]+")  # what may come between the letters of a secret that is split
_BEGINNING, _WORTH_IT = 12, 20  # letters that a cut secret is known by, and how many a secret has for that
_LONG_ENOUGH = 8  # bytes, from which on a part of a base64 text is known from any other
_DEEPEST = 50  # levels of an answer that are looked through


class Redactor:
    """Holds secrets and takes them out of texts. Safe to use from several threads.

    The forms in which they may stand are made when there is something to show: most clients never show any.
    """

    def __init__(self) -> None:
        self._secrets: dict[str, None] = {}
        self._known: tuple[int, list[str]] = (0, [])  # of how many secrets the forms are

    def learn(self, secret: str) -> None:
        """Take note of a secret."""
        if secret:
            self._secrets[secret] = None

    def text(self, text: str) -> str:
        """Return a text without secrets; nothing of one that holds a part of one, or one in pieces."""
        text = _JWT.sub("***", text)
        for form in self._forms():
            text = text.replace(form, "***")
        letters = _SIGNS.sub("", text)
        is_left = _JWT.search(letters) is not None or any(part in letters for part in self._beginnings())
        return "***" if is_left else text

    def _beginnings(self) -> list[str]:
        letters = (_SIGNS.sub("", secret) for secret in self._secrets)
        return [one[:_BEGINNING] for one in letters if len(one) >= _WORTH_IT]

    def _forms(self) -> list[str]:
        """Return all secrets in all forms, the longest first: one may hold another."""
        secrets = [*self._secrets]
        if self._known[0] != len(secrets):
            forms = {form for one in secrets for form in _forms(one)}
            self._known = len(secrets), sorted(forms, key=len, reverse=True)
        return self._known[1]

    def value(self, value: Any) -> Any:
        """Return a value, for example a task's result, without the secrets that a text in it holds.

        Short ones are left: they could as well be a number or a word.
        """
        secrets = sorted((one for one in self._secrets if len(one) >= _LONG_ENOUGH), key=len, reverse=True)

        def without(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "***")
            return text

        return _each_text(value, without)

    def body(self, content: bytes) -> str:
        """Return the body of an answer without secrets, also those that its JSON writes in escapes."""
        text = content.decode("utf-8", "replace").strip()
        try:
            said = json.loads(text) if text else None
        except (ValueError, RecursionError):
            return self.text(text)
        shown = _each_text(said, self.text, _DEEPEST)
        return self.text(json.dumps(shown, ensure_ascii=False)) if text else ""


def _each_text(value: Any, change: Callable[[str], str], levels: float = math.inf) -> Any:
    """Return JSON with each text and key in it changed; ``...`` for what lies deeper than so many levels."""
    if levels < 0:
        return "..."
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_each_text(key, change): _each_text(item, change, levels - 1) for key, item in value.items()}
    return [_each_text(item, change, levels - 1) for item in value] if isinstance(value, list) else value


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as URLs, JSON, HTML and base64 write it."""
    url, raw = quote(secret, safe=""), secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        url,
        quote(secret),
        quote_plus(secret),
        re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), url),
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        html.escape(secret),
        raw.hex(),
        raw.hex().upper(),
    }
    if len(raw) >= _LONG_ENOUGH:
        for offset in range(3):  # where in what was encoded it begins
            coded = base64.b64encode(b"\0" * offset + raw).decode()
            # Characters that also encode a byte before or after the secret are left out.
            part = coded[-(-offset * 4 // 3) if offset else 0 : (offset + len(raw)) * 4 // 3]
            forms |= {part, part.replace("+", "-").replace("/", "_")}
    return forms
