"""How a secret is known among JSON: by the name of its field, or by its look."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(\w*(?<!error_)token|\w*secret|\w*password|passwd|passphrase|psk|jwt|credentials?|authorization|"
    r"(new|old)_?password|(api|write|private|access|secret|activation|encryption|signing|account|shared)_?key|"
    r"activation_?code|connection_?string|otpauth|fingerprint|pin\d?|puk\d?|adm\d?|ki|opc?)$"
)
_SECRET_VALUE = re.compile(r"^eyJ[\w-]{8,}\.[\w-]+\.[\w-]*$")


def looks_secret(name: str, value: Any) -> bool:
    """Tell whether a field may hold a secret, by its name or by its look."""
    return _SECRET_NAME.search(name) is not None or (
        isinstance(value, str) and _SECRET_VALUE.match(value) is not None
    )


def secrets_in(value: Any, declared: Collection[str] = (), path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place (``destination.credentials.api_key``) and the value of each secret in a JSON value.

    :param value: Objects and lists at any depth. Also ``{"property": name, "value": ...}`` names a value.
    :param declared: Places that hold secrets whatever they are called; indexes of lists are no part of them.
    """
    if isinstance(value, Mapping):
        named = value.get("property")
        for key, item in value.items():
            name = str(named) if named is not None and key in {"value", "value_array"} else str(key)
            yield from _secret_at(f"{path}.{key}" if path else str(key), name, item, declared)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secrets_in(item, declared, path)


def _secret_at(place: str, name: str, item: Any, declared: Collection[str]) -> Iterator[tuple[str, Any]]:
    if item is None or item == "" or isinstance(item, bool):
        return
    if place in declared or (not isinstance(item, Mapping) and looks_secret(name, item)):
        yield place, item
    else:
        yield from secrets_in(item, declared, place)


def hide_secrets(value: Any, names: Collection[str] = ()) -> Any:
    """Return JSON with ``***`` for what looks like a secret, and for the fields of these names."""
    if isinstance(value, Mapping):
        return {
            name: HIDDEN
            if item not in (None, "")
            and not isinstance(item, (Mapping, bool, list))
            and _hidden(name, item, names)
            else hide_secrets(item, names)
            for name, item in value.items()
        }
    return [hide_secrets(item, names) for item in value] if isinstance(value, list) else value


def _hidden(name: str, item: Any, names: Collection[str]) -> bool:
    return name in names or looks_secret(str(name), item)
