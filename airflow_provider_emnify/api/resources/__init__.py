"""The resources of the emnify REST API: a file for each, a method for each of its operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emnify.api.resources.endpoints import Endpoints
from airflow_provider_emnify.api.resources.events import Events
from airflow_provider_emnify.api.resources.operation import UNSET, Operation, Resource, operations_of
from airflow_provider_emnify.api.resources.organisations import Organisations
from airflow_provider_emnify.api.resources.sims import Sims
from airflow_provider_emnify.api.resources.users import Users

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient

RESOURCES: dict[str, type[Resource]] = {
    "endpoints": Endpoints,
    "events": Events,
    "organisations": Organisations,
    "sims": Sims,
    "users": Users,
}
"""Every resource by the name of its attribute on the client."""


class Resources:
    """Something with an attribute for each resource: what the client is.

    :param client: Sends the requests of the resources.
    """

    endpoints: Endpoints
    events: Events
    organisations: Organisations
    sims: Sims
    users: Users

    def __init__(self, client: EmnifyClient) -> None:
        for name, resource in RESOURCES.items():
            setattr(self, name, resource(client))


__all__ = ["RESOURCES", "UNSET", "Operation", "Resource", "Resources", "operations_of"]
