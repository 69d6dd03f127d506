"""The one look that a deferrable sensor takes in the worker, where it need not wait and locks no account.

Hundreds of sensors may begin at once. A rejected credential is found out by one of them, for three rejections
in a row lock the account; what that one has found out, those of this host's user read in a file.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_emnify.api.errors import EmnifyError
from airflow_provider_emnify.api.transport.token_cache import TokenCache
from airflow_provider_emnify.api.waits.wait import WAITS, Verdict, Wait, look
from airflow_provider_emnify.hooks.connection import ConnectionSettings
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.form import DEFAULT_TOKEN_CACHE
from airflow_provider_emnify.hooks.masking import mask
from airflow_provider_emnify.retry import is_permanent

_IDS = 25  # ids that are read one by one; more are left to the triggerer, where waits share reads
_TIMEOUT = 10.0  # seconds for an answer
_RESERVED = 0.5  # share of the limits by address, authentications among them, that is reserved for others


class _WouldWaitError(Exception):
    """A look would have to wait for its place in the limits."""


def first_look(conn_id: str, wait: Wait) -> Verdict | None:
    """Look once from a worker where that costs no waiting.

    It costs waiting where emnify's limits are near, another task authenticates, or emnify does not answer
    well.

    :returns: What was seen; None when there was no look, or it found nothing out.
    :raises EmnifyError: for an error that is permanent.
    :raises EmnifyConnectionConfigError: when the connection cannot work.
    """
    if WAITS[wait.kind].one_by_one and len(wait.ids) > _IDS:
        return None
    try:
        conn = EmnifyHook.get_connection(conn_id)
    except Exception:
        return None  # the triggerer may have it; else it says what is wrong
    settings = ConnectionSettings.from_airflow(conn, on_secret=mask)
    cache = _cache(settings)
    if cache is None:
        return None
    try:
        with EmnifyHook.client_from_settings(
            replace(settings, timeout=min(settings.timeout, _TIMEOUT)),
            max_retries=0,
            leave=max(settings.task_share, _RESERVED),
            sleep=_refuse_to_wait,
            token_cache=cache,
        ) as client:
            return look(client, wait, {})
    except (_WouldWaitError, OSError):  # the second one: the cache cannot be had now
        return None
    except EmnifyError as error:
        if is_permanent(error):
            raise
        return None


def _cache(settings: ConnectionSettings) -> TokenCache | None:
    """Return the cache by which tasks share authentications; None where they do not.

    Hosts that share the limits in a Redis may be as many as there are tasks: there a token has to be at hand.
    """
    shares = settings.token_cache != DEFAULT_TOKEN_CACHE
    cache = TokenCache(settings.credentials, settings.base_url, keeps_tokens=shares, waits=shares)
    is_needed = settings.rate_limit_store.startswith("redis")
    return None if is_needed and cache.load() is None else cache


def _refuse_to_wait(seconds: float) -> None:
    raise _WouldWaitError(seconds)
