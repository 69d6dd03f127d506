"""Buttons on a task's page that lead to the emnify portal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseHook, BaseOperatorLink
from airflow_provider_emnify.hooks.route import portal_url

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import TaskInstanceKey


class _PortalLink(BaseOperatorLink):
    """A link to one page of the portal. The page shows what the signed-in user may see."""

    page: str = ""

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey | Any) -> str:
        """Return the page's address, in the portal that the task's connection names. Called by Airflow.

        Where the connection is not known here, it is emnify's own portal.
        """
        del ti_key
        extras: dict[str, Any] = {}
        with contextlib.suppress(Exception):  # a link is never worth a failure
            extras = BaseHook.get_connection(operator.emnify_conn_id).extra_dejson
        return f"{portal_url(extras)}/{self.page}"


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
