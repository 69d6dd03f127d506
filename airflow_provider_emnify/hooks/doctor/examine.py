"""The doctor's round: from the connection to the API, each step only where the one before allows it."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_emnify.airflow_names import AirflowNotFoundException
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.doctor import account
from airflow_provider_emnify.hooks.doctor.contract import contract
from airflow_provider_emnify.hooks.doctor.finding import Finding
from airflow_provider_emnify.hooks.doctor.installation import installation
from airflow_provider_emnify.hooks.doctor.network import network
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.masking import mask


def examine(conn_id: str = EmnifyHook.default_conn_name) -> Iterator[Finding]:
    """Look at everything between this Airflow and emnify. Nothing is changed.

    :param conn_id: The connection.
    """
    yield from installation()
    try:
        settings = ConnectionSettings.from_airflow(EmnifyHook.get_connection(conn_id), on_secret=mask)
    except AirflowNotFoundException:
        yield Finding(
            "connection",
            "failed",
            f"there is no connection '{conn_id}'",
            f"add one of type emnify, or set AIRFLOW_CONN_{conn_id.upper()}",
        )
        return
    except EmnifyConnectionConfigError as error:
        yield Finding("connection", "failed", str(error), "see docs/connection.md")
        return
    who = "an application token" if settings.credentials.username is None else "a user"
    yield Finding(
        "connection",
        "ok",
        f"'{conn_id}': {who} at {settings.base_url}, timeout {settings.timeout:g} s, "
        f"{settings.max_retries} retries, token_cache {settings.token_cache}",
    )
    failed = False
    for finding in network(settings.base_url, settings.route):
        failed = failed or finding.state == "failed"
        yield finding
    if failed:
        yield Finding("account", "skipped", "emnify cannot be reached from here")
        return
    with EmnifyHook.client_from_settings(settings, max_retries=1) as client:
        found = account.token(client)
        yield found
        if found.state == "failed":
            yield Finding("lists", "skipped", "the credentials were not accepted")
            return
        yield account.clock(client)
        yield from contract(client)
        yield from account.limits(client, settings)
