"""What became of a request that was not answered: whether it was sent, and why there is no answer."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.connections import Exchange

LONGEST_CONNECT = 10.0
"""Seconds to reach the host; the timeout is for its answer."""

WHOLE = 5
"""Times the timeout: the most that one exchange takes, however slowly its bytes come."""


def was_never_sent(error: Exception) -> bool:
    """Tell by the error alone, where no connection of ours took part."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError | ValueError):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.ProxyError):
        cause = cause.original_error
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def is_untrusted(error: BaseException) -> bool:
    """Tell whether the server's certificate is what is wrong."""
    return any(
        isinstance(one, ssl.SSLCertVerificationError | ssl.CertificateError)
        or "CERTIFICATE_VERIFY_FAILED" in str(one)
        for one in _causes(error)
    )


def reason(error: Exception, host: str, exchange: Exchange, *, was_sent: bool) -> str:
    """Say what happened, to which host, in a few words."""
    if is_untrusted(error):
        return f"no trusted TLS connection to {host}: {_innermost(error)}"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"{host} could not be reached within {min(exchange.timeout, LONGEST_CONNECT):g} s"
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        if time.monotonic() >= exchange.deadline:
            return f"{host} did not answer in whole within {WHOLE * exchange.timeout:g} s"
        return f"{host} did not answer within {exchange.timeout:g} s"
    if not was_sent:
        return f"{host} could not be reached: {_innermost(error)}"
    return f"the connection to {host} broke: {_innermost(error)}"


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it was made of, the deepest last."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = inner if isinstance(inner, BaseException) else None
    return found


def _innermost(error: BaseException) -> str:
    """Return what the deepest cause says, without the addresses of objects."""
    deepest = _causes(error)[-1]
    return str(deepest).rpartition(">: ")[2] or type(deepest).__name__
