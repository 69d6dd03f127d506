"""What can go wrong with a call to emnify, one class for each thing a caller may do about it.

``EmnifyError`` has the HTTP status, emnify's error code, token and message, the field errors, and which
call it was. ``transient`` tells whether the same call may succeed later without anyone's doing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

# Control characters of ASCII and Latin 1, separators of lines, and what changes the direction of writing.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_TEXT = 500  # characters of an answer that are worth showing
_MOST_FIELD_ERRORS = 20  # as many as a message can hold

ErrorKind = TypeVar("ErrorKind", bound="EmnifyError")


class EmnifyError(Exception):
    """A call to emnify that failed.

    :param message: What went wrong, in a sentence.
    :param status: HTTP status of the answer; None when there was none.
    :param code: emnify's ``error_code``, for example 1400.
    :param token: emnify's ``error_token``, for example ``InputValidationFailed``.
    :param details: What the answer says beyond that: the list of field errors, or the parsed body.
    :param method: HTTP method of the call.
    :param path: Path of the call, without host and query.

    ``retry_after`` is the wait that the API asked for, in seconds, or None.
    """

    transient = False
    may_have_acted = False
    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        token: str | None = None,
        details: Any = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        message = one_line(message)
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.token = None if token is None else one_line(token)
        self.details = details
        self.method = method
        self.path = path

    def __str__(self) -> str:
        parts = [f"{self.method} {self.path}" if self.method else ""]
        if self.status is not None:
            code = "" if self.code is None else f"({self.code})"
            parts += [f"answered {self.status}", self.token or "", code]
        head = " ".join(filter(None, parts))
        return one_line("; ".join([f"{head}: {self.message}" if head else self.message, *self.field_errors]))

    def as_kind(self, kind: type[ErrorKind], message: str, **more: Any) -> ErrorKind:
        """Return an error of another kind about the same answer.

        :param more: What that kind has in addition.
        """
        shared = ("status", "code", "token", "details", "method", "path")
        context = {name: getattr(self, name) for name in shared}
        return kind(message, **context, **more)

    @property
    def field_errors(self) -> list[str]:
        """Every field error as text; empty when the answer named none."""
        details = self.details
        if self.status is None or not isinstance(details, list):
            return []
        return [shown for item in details[:_MOST_FIELD_ERRORS] if (shown := _field_error(item))]

    @property
    def worth_resending(self) -> bool:
        """Whether the same request may succeed in seconds, so that the client sends it again by itself."""
        return self.transient


class EmnifyAuthenticationError(EmnifyError):
    """The credential or the auth token was not accepted. Not tried again: it would lock the account."""


class EmnifyPermissionError(EmnifyError):
    """The credential is good but may not do this."""


class EmnifyNotFoundError(EmnifyError):
    """There is no such thing, or it belongs to another organisation."""


class EmnifyNetworkStateError(EmnifyError):
    """The mobile network knows nothing of a device now: it is detached, or its SIM is not activated.

    The device exists. This passes when it connects, in its own time: who waits for that asks again later.
    """

    transient = True

    worth_resending = False  # by the client: it takes minutes or days, and a wait asks again at its own pace


class EmnifyConflictError(EmnifyError):
    """The state of the thing does not allow this, or it exists already."""


class EmnifyValidationError(EmnifyError):
    """The request does not make sense to emnify. ``field_errors`` lists every complaint."""


class EmnifyRateLimitError(EmnifyError):
    """A documented limit was passed and stayed passed for all retries."""

    transient = True


class EmnifyLockTimeoutError(EmnifyError):
    """Another task held a lock for too long. Nothing was sent, so another attempt is right."""

    transient = True


class EmnifyServerError(EmnifyError):
    """The API failed on its side."""

    transient = True
    may_have_acted = True


class IncompleteListError(EmnifyServerError):
    """A list did not come as a whole, or changed too much while it was read."""


class EmnifyConnectionError(EmnifyError):
    """No answer: the host was not reached, or the connection broke, or time ran out.

    ``may_have_acted`` tells whether the request can have reached the host all the same.
    """

    transient = True
    may_have_acted = True


class EmnifyUnknownOutcomeError(EmnifyError):
    """A write was sent and its answer was lost: it may or may not have been done. Look before repeating."""


class EmnifyPartialError(EmnifyError):
    """A bulk write was done in part.

    :param done: What was done, by id or by the item as given.
    :param not_done: What was not done, in the same terms.
    """

    def __init__(
        self, message: str, *, done: Sequence[Any] = (), not_done: Sequence[Any] = (), **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.done = list(done)
        self.not_done = list(not_done)

    def __str__(self) -> str:
        return (
            f"{super().__str__()}; done ({len(self.done)}): {_shorten(self.done)}; "
            f"not done ({len(self.not_done)}): {_shorten(self.not_done)}"
        )


def _shorten(items: list[Any]) -> str:
    shown = ", ".join(one_line(str(item)) for item in items[:20])
    return shown + (f" and {len(items) - 20} more" if len(items) > 20 else "") if items else "none"  # noqa: PLR2004 - as many as a log line can hold


def _field_error(item: Any) -> str:
    if not isinstance(item, dict):
        return one_line(_cut(_as_text(item)))
    text = _as_text(item.get("message") or item.get("error_token") or item)
    field = item.get("field") or item.get("path")
    return one_line(_cut(f"{_as_text(field)}: {text}" if field else text))


def one_line(text: str) -> str:
    """Return a text as one line: what would begin another one, or steer a terminal, is escaped.

    Otherwise an answer could forge lines of a log.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_BY_STATUS: dict[int, type[EmnifyError]] = {
    400: EmnifyValidationError,
    401: EmnifyAuthenticationError,
    403: EmnifyPermissionError,
    404: EmnifyNotFoundError,
    405: EmnifyPermissionError,
    # Neither was acted on: of a 408 the server did not get the whole request in time, a 425 it would not risk
    # to process (RFC 9110, 15.5.9; RFC 8470, 5.2). So both are sent again, whatever the method.
    408: EmnifyConnectionError,
    409: EmnifyConflictError,
    410: EmnifyNotFoundError,
    422: EmnifyValidationError,
    425: EmnifyConnectionError,
    429: EmnifyRateLimitError,
    451: EmnifyPermissionError,
}
_REFINED = {400, 403, 405, 422}
# Of these a code says more than the status: 1405 Duplicated is recorded with 422. Of all others the status
# decides: a missing device is recorded as 404 with 1401 InvalidReference, and a locked account answers 401
# TooManyRequests.
_BY_CODE: dict[int, type[EmnifyError]] = {
    1101: EmnifyAuthenticationError,
    1102: EmnifyAuthenticationError,
    1103: EmnifyAuthenticationError,
    1104: EmnifyPermissionError,
    1105: EmnifyRateLimitError,
    1400: EmnifyValidationError,
    1401: EmnifyValidationError,
    1405: EmnifyConflictError,
    1406: EmnifyPermissionError,
}
_UNAVAILABLE = 1601  # "No IP address available": a 404 in which nothing is missing
_NETWORK_STATES = (
    "unknownsubscriber",
    "unknownlocation",
    "externalnetwork",
    "networkelementnotavailable",
    "datamissing",
    "unexpecteddatavalue",
)
_CONNECTIVITY = re.compile(r"/connectivity(_info)?$")


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def error_from_answer(
    method: str,
    path: str,
    *,
    status: int,
    reason: str,
    headers: Mapping[str, str],
    text: str,
    redact: Callable[[str], str] = str,
) -> EmnifyError:
    """Turn an answer that is not a success into the right kind of error.

    The body may be empty, HTML, broken JSON, or JSON of any shape: the status alone then decides.

    :param redact: Takes secrets out of a text; everything that the answer says goes through it.
    """
    text = redact(text.strip())
    try:
        body = json.loads(text) if text else None
    except (ValueError, RecursionError):  # the latter for a thousand brackets
        body = None
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    code = _number(said.get("error_code", said.get("status_code")))
    token = said.get("error_token") or None
    errors = said.get("errors")
    message = said.get("message") or said.get("error") or _describe(body, text, headers, reason)
    shown = redact(_as_text(message))
    kind = _kind_of(path, status, code, f"{_as_text(token)} {shown}")
    error = kind(
        _cut(shown),
        status=status,
        code=code,
        token=_cut(_as_text(token)) if token else None,
        details=_listed(errors) or body,
        method=method,
        path=path,
    )
    if isinstance(error, EmnifyConnectionError):
        error.may_have_acted = False
    return error


def _kind_of(path: str, status: int, code: int | None, text: str) -> type[EmnifyError]:
    """Return the kind of error that an answer means. The status decides, but for a few."""
    if status == 404:  # noqa: PLR2004 - HTTP's own number
        if code == _UNAVAILABLE:
            return EmnifyConflictError
        if _CONNECTIVITY.search(path) and _names_network_state(text):
            return EmnifyNetworkStateError
    if status in _REFINED and code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own numbers
        return EmnifyError
    # What is no status of HTTP says nothing of what was done, like a 5xx.
    return EmnifyValidationError if 400 <= status < 500 else EmnifyServerError  # noqa: PLR2004 - HTTP's own numbers


def _listed(errors: Any) -> list[Any]:
    """Return field errors as a list, also where they come by field or as one text."""
    if isinstance(errors, dict):
        return [{"field": field, "message": text} for field, text in errors.items()]
    if isinstance(errors, list):
        return errors
    return [errors] if errors else []


def _names_network_state(text: str) -> bool:
    plain = re.sub(r"[^a-z]", "", text.lower())
    return any(state in plain for state in _NETWORK_STATES)


def _describe(body: Any, text: str, headers: Mapping[str, str], reason: str) -> str:
    if not text:
        return headers.get("x-amzn-ErrorType") or reason or "the answer has no body"
    if body is not None:
        return f"unexpected answer {text}"
    if "html" in headers.get("Content-Type", "").lower() or text[:1] == "<":
        return f"an HTML page instead of JSON: {text}"
    return f"the answer is not JSON: {text}"


def _as_text(value: Any) -> str:
    """Return what an answer says, as a text that can be written anywhere."""
    try:
        text = str(value)
    except RecursionError:
        text = "lists within lists"
    return text.encode("utf-8", "replace").decode("utf-8")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}... ({len(text)} characters)"


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
