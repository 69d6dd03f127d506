"""Buttons on a task's page that lead to the emnify portal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseHook, BaseOperatorLink
from airflow_provider_emnify.hooks.route import portal_url

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import BaseOperator, TaskInstanceKey


class _PortalLink(BaseOperatorLink):
    """A link to one page of the portal. The page shows what the signed-in user may see."""

    page: str = ""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey | Any) -> str:
        """Return the page's address, of the portal that the task's connection names. Called by Airflow."""
        del ti_key
        return f"{_portal_of(operator)}/{self.page}"


class EmnifyDevicesLink(_PortalLink):
    """Link to the portal's connected devices."""

    name = "emnify devices"
    page = "connected-devices"


class EmnifySimsLink(_PortalLink):
    """Link to the portal's SIM inventory."""

    name = "emnify SIMs"
    page = "sim-inventory"


class EmnifyUsersLink(_PortalLink):
    """Link to the portal's users."""

    name = "emnify users"
    page = "organisation-settings/users"


def _portal_of(operator: Any) -> str:
    """Return the portal of a task's connection; emnify's own where that is not known here."""
    conn_id = getattr(operator, "emnify_conn_id", None)
    extras: dict[str, Any] = {}
    with contextlib.suppress(Exception):  # a link is never worth a failure
        if conn_id:
            extras = BaseHook.get_connection(conn_id).extra_dejson
    return portal_url(extras)
