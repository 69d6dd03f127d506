"""How a secret is known among JSON: by the name of its field, or by its look."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"

_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 10
_SHORT.maxstring = _SHORT.maxother = 100

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(\w*token|\w*secret|\w*password|passwd|passphrase|psk|jwt|credentials?|authorization|headers|"
    r"(new|old)_?password|(api|write|private|access|secret|activation|encryption|signing|account|shared)_?key|"
    r"activation_?code|connection_?string|otpauth|((pin|puk)\d?|adm\d?)(_?code)?|ki|opc)$|^fingerprint$"
)
# Names of errors, and places in a list that is read page by page.
_NO_SECRET_NAME = re.compile(r"(?i)^(error|(next|previous|prev)_?(page)?|page|continuation)_?token$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_VALUE = re.compile(
    r"^eyJ[\w-]{8,}\.[\w-]+\.[\w-]*$|^authorization\s*:|^(bearer|basic)\s+(?=\S*\d)\S{12,}$|"
    r"^\w[\w+.-]*://[^/?#@\s]*:[^/?#@\s]+@",
    re.IGNORECASE,
)
_SAYS_WHICH = frozenset({"id", "name", "description", "connection_type", "type", "format"})


def looks_secret(name: str, value: Any) -> bool:
    """Tell whether a field may hold a secret, by its name or by its look.

    ``fingerprint`` is one: with it, emnify takes who logs in for a device that needs no second factor. Other
    names that end so (``key_fingerprint``) tell a thing, and open nothing.
    """
    return _sounds_secret(name) or (isinstance(value, str) and _SECRET_VALUE.match(value.strip()) is not None)


@lru_cache(4096)
def _sounds_secret(name: str) -> bool:
    name = _HUMP.sub("_", name)
    return _SECRET_NAME.search(name) is not None and _NO_SECRET_NAME.match(name) is None


def secrets_in(value: Any, declared: Collection[str] = (), path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place (``destination.credentials.api_key``) and the value of each secret in a JSON value.

    :param value: Objects and lists at any depth. Also ``{"property": name, "value": ...}`` names a value.
    :param declared: Places that hold secrets whatever they are called; indexes of lists are no part of them.
    """
    if isinstance(value, Mapping):
        for key, name, item in _named(value):
            yield from _secret_at(f"{path}.{key}" if path else str(key), name, item, declared)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secret_at(path, "", item, declared)


def _named(value: Mapping[Any, Any]) -> Iterator[tuple[Any, str, Any]]:
    """Yield each key, what its value is called, and the value."""
    called = value.get("property")
    for key, item in value.items():
        yield key, str(called if called is not None and key in {"value", "value_array"} else key), item


def _secret_at(place: str, name: str, item: Any, declared: Collection[str]) -> Iterator[tuple[str, Any]]:
    if _is_without_content(item):
        return
    if place in declared or (not isinstance(item, Mapping) and looks_secret(name, item)):
        yield place, item
    else:
        yield from secrets_in(item, declared, place)


def _is_without_content(value: Any) -> bool:
    return value is None or isinstance(value, bool) or (isinstance(value, (str, list, dict)) and not value)


def without_secrets(value: Any) -> Any:
    """Return JSON without what looks like a secret, at any depth."""
    if isinstance(value, Mapping):
        kept = ((key, item) for key, name, item in _named(value) if not looks_secret(name, item))
        return {key: without_secrets(item) for key, item in kept}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value if not looks_secret("", item)]
    return value


def hide_secrets(value: Any, names: Collection[str] = ()) -> Any:
    """Return JSON with ``***`` for what looks like a secret, and for the fields of these names.

    A field of these names is hidden whole. Of an object whose name sounds secret, only what says which one it
    is stays: ``{"api_secret": {"id": 7, "value": "***"}}``; in a list, this goes for each item.
    """
    return _shown("", value, names, inside=False)


def _shown(name: str, value: Any, names: Collection[str], *, inside: bool) -> Any:
    """Return a field's value as it may be shown.

    :param inside: It is part of something whose name sounds secret.
    """
    if _is_without_content(value):
        return value
    if name in names:
        return HIDDEN
    if isinstance(value, Mapping):
        inside = inside or _sounds_secret(name)
        return {
            key: _shown(called, item, names, inside=inside and called not in _SAYS_WHICH)
            for key, called, item in _named(value)
        }
    if isinstance(value, (list, tuple)):
        return [_shown(name, item, names, inside=inside) for item in value]
    return HIDDEN if inside or looks_secret(name, value) else value


def show(fields: Mapping[str, Any], places: Collection[str] = ()) -> str:
    """Return fields as a log shows them, ``name='Eve', status=1``: long values are cut, secrets are ``***``.

    :param places: Places that hold secrets whatever they are called, as for :func:`secrets_in`.
    """
    shown = hide_secrets(fields, {place.rpartition(".")[2] for place in places})
    return ", ".join(f"{name}={_SHORT.repr(value)[:300]}" for name, value in shown.items())
