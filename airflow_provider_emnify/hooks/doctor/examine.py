"""The doctor's round: from the connection to the API, each step only where the one before allows it."""

from __future__ import annotations

import os
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
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    try:
        conn = EmnifyHook.get_connection(conn_id)
        settings = ConnectionSettings.from_airflow(conn, on_secret=mask)
    except AirflowNotFoundException:
        if variable in os.environ:
            what, remedy = f"{variable} is set, and Airflow cannot read it", "write it as JSON or as a URI"
        else:
            what, remedy = f"there is no connection '{conn_id}'", f"add one of type emnify, or set {variable}"
        yield Finding("connection", "failed", what, remedy)
        return
    except EmnifyConnectionConfigError as error:
        yield Finding("connection", "failed", str(error), "see 'The connection' in the documentation")
        return
    who = "an application token" if settings.credentials.username is None else "a user"
    said = (
        f"'{conn_id}': {who} at {settings.base_url}, timeout {settings.timeout:g} s, "
        f"{settings.max_retries} retries, token_cache {settings.token_cache}"
    )
    if conn.conn_type == EmnifyHook.conn_type:
        yield Finding("connection", "ok", said)
    else:
        remedy = "its type is not emnify: Airflow's form and its Test button are those of another"
        yield Finding("connection", "warning", said, remedy)
    reached = list(network(settings.base_url, settings.route))
    yield from reached
    if any(finding.state == "failed" for finding in reached):
        yield Finding("account", "skipped", "emnify cannot be reached from here")
        return
    with EmnifyHook.client_from_settings(settings, max_retries=1) as client:
        found = account.token(client)
        yield found
        if found.state == "failed":
            yield Finding("lists", "skipped", "they need an auth token, and there is none")
            return
        yield account.clock(client)
        yield from contract(client)
        yield from account.limits(client, settings)
