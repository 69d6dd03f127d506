"""Buttons on a task's page that lead to the emnify portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseOperatorLink

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import BaseOperator, TaskInstanceKey

PORTAL = "https://portal.emnify.com"


class _PortalLink(BaseOperatorLink):
    """A link to one page of the portal. The page shows what the signed-in user may see."""

    page: str = ""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey | Any) -> str:
        """Return the page's address. Called by Airflow; neither task nor run matters."""
        del operator, ti_key
        return f"{PORTAL}/{self.page}"


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
