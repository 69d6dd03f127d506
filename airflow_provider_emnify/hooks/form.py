"""The connection form as one table, from which each Airflow version gets it in its own way.

Airflow 3.2 and later read it from the provider's metadata (:func:`conn_fields`,
:func:`ui_field_behaviour`); 2.11 to 3.1 ask the hook (:func:`form_widgets`). Imports no Airflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

DEFAULT_BASE_URL = "https://cdn.emnify.net"
DEFAULT_PORTAL_URL = "https://portal.emnify.com"
DEFAULT_TIMEOUT = 30
DEFAULT_MAX_RETRIES = 5
DEFAULT_RATE_LIMIT_STORE = "host"
DEFAULT_TOKEN_CACHE = "task"  # noqa: S105 - the name of a place, no token
DEFAULT_TASK_SHARE = 0.25


@dataclass(frozen=True)
class ConnectionField:
    """One extra of the connection.

    :param name: Its key in the connection's extras.
    :param label: Its label in the form.
    :param kind: What the form accepts.
    :param help: What it does, its unit and its default, for the form.
    :param secret: Whether the form hides what is typed.
    """

    name: str
    label: str
    kind: Literal["integer", "number", "string"]
    help: str
    secret: bool = False


FIELDS: tuple[ConnectionField, ...] = (
    ConnectionField(
        "timeout",
        "Timeout (seconds)",
        "integer",
        f"How long to wait for an answer. Default {DEFAULT_TIMEOUT}.",
    ),
    ConnectionField(
        "max_retries",
        "Retries",
        "integer",
        f"How often a request is sent again after a transient error. Default {DEFAULT_MAX_RETRIES}.",
    ),
    ConnectionField(
        "workspace_id",
        "Workspace id",
        "integer",
        "The Workspace to switch to after logging in. With user credentials only.",
    ),
    ConnectionField(
        "fingerprint",
        "Trusted device fingerprint",
        "string",
        "Fingerprint of a trusted device, for a user with MFA. With user credentials only.",
        secret=True,
    ),
    ConnectionField(
        "rate_limit_store",
        "Rate limit store",
        "string",
        "Who shares the rate limits: 'host' (all processes of one user of this host, the default), 'memory' "
        "(one task alone), or a Redis URL (all workers behind one address).",
    ),
    ConnectionField(
        "token_cache",
        "Auth token cache",
        "string",
        "Who shares an auth token: 'task' (one authentication a task, the default) or 'host' (the tasks of "
        "one user of this host).",
    ),
    ConnectionField(
        "task_share",
        "Share of the rate limit for tasks",
        "number",
        "The share of the address's rate limit that waits in a triggerer leave to tasks: 0 or more, below 1. "
        f"Default {DEFAULT_TASK_SHARE}.",
    ),
    ConnectionField(
        "proxies",
        "Proxy",
        "string",
        "URL of the proxy that requests go through, instead of those in the environment: "
        "http://proxy.example:3128.",
        secret=True,
    ),
    ConnectionField(
        "verify",
        "CA bundle",
        "string",
        "Path of the certificates that the API's is checked against, where a proxy opens TLS. Certificates "
        "are always checked.",
    ),
    ConnectionField(
        "headers",
        "Headers",
        "string",
        'Headers that go with each request, for a gateway in between, as JSON: {"X-Gateway-Key": "..."}.',
        secret=True,
    ),
    ConnectionField(
        "portal_url",
        "Portal URL",
        "string",
        f"Where links on tasks lead, for another brand of the platform. Default {DEFAULT_PORTAL_URL}.",
    ),
    ConnectionField(
        "api_secret",
        "API secret of callbacks",
        "string",
        "What emnify signs its SMS callbacks with: the API secret of the service profile. In JSON also a "
        "list, while it is rotated.",
        secret=True,
    ),
    ConnectionField(
        "stream_secret",
        "Path secret of data streams",
        "string",
        "The last part of the URL that data streams call: /emnify/callbacks/<connection>/stream/<secret>.",
        secret=True,
    ),
)

EXTRAS: frozenset[str] = frozenset(field.name for field in FIELDS)

HIDDEN = ("schema", "port")
RELABELING = {
    "host": "Base URL",
    "login": "Username",
    "password": "Application token",
}
PLACEHOLDERS = {
    "host": DEFAULT_BASE_URL,
    "login": "leave empty to use an application token",
    "password": "application token, or the user's password when a username is given",
}


def conn_fields() -> dict[str, dict[str, Any]]:
    """Return the extras as Airflow 3.2 and later want them (``conn-fields``)."""
    fields: dict[str, dict[str, Any]] = {}
    for field in FIELDS:
        schema: dict[str, Any] = {"type": [field.kind, "null"]}
        if field.secret:
            schema["format"] = "password"
        fields[field.name] = {"label": field.label, "schema": schema, "description": field.help}
    return fields


def form_widgets() -> dict[str, Any]:
    """Return the extras as WTForms fields, as Airflow 2.11 to 3.1 want them.

    :raises ImportError: where WTForms or Flask-AppBuilder is not installed; Airflow copes with that.
    """
    # By name, since Airflow 3 has neither of them and a type checker would look for both.
    wtforms: Any = import_module("wtforms")
    validators: Any = import_module("wtforms.validators")
    looks: Any = import_module("flask_appbuilder.fieldwidgets")

    widgets: dict[str, Any] = {}
    for field in FIELDS:
        if field.secret:
            kind, look = wtforms.PasswordField, looks.BS3PasswordFieldWidget()
        else:
            # Airflow takes no field for numbers that are not whole: text says them too.
            kind = wtforms.IntegerField if field.kind == "integer" else wtforms.StringField
            look = looks.BS3TextFieldWidget()
        widgets[field.name] = kind(
            field.label, widget=look, description=field.help, validators=[validators.Optional()]
        )
    return widgets


def ui_field_behaviour(*, kebab_case: bool) -> dict[str, Any]:
    """Return how the standard fields look: for the metadata (kebab-case) or from the hook (snake_case)."""
    return {
        "hidden-fields" if kebab_case else "hidden_fields": list(HIDDEN),
        "relabeling": dict(RELABELING),
        "placeholders": dict(PLACEHOLDERS),
    }
