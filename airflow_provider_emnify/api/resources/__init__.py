"""The resources of the emnify REST API: a file for each, a method for each of its operations.

A resource's file is imported when the resource is first used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.resources.operation import Operation, Resource, operations_of

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.api_callbacks import ApiCallbacks
    from airflow_provider_emnify.api.resources.api_secrets import ApiSecrets
    from airflow_provider_emnify.api.resources.application_tokens import ApplicationTokens
    from airflow_provider_emnify.api.resources.authentication import Authentication
    from airflow_provider_emnify.api.resources.automations import Automations
    from airflow_provider_emnify.api.resources.cloud_connect import CloudConnect
    from airflow_provider_emnify.api.resources.custom_events import CustomEvents
    from airflow_provider_emnify.api.resources.data_streams import DataStreams
    from airflow_provider_emnify.api.resources.dns import Dns
    from airflow_provider_emnify.api.resources.endpoints import Endpoints
    from airflow_provider_emnify.api.resources.euiccs import Euiccs
    from airflow_provider_emnify.api.resources.events import Events
    from airflow_provider_emnify.api.resources.ip_address_spaces import IpAddressSpaces
    from airflow_provider_emnify.api.resources.lookups import Lookups
    from airflow_provider_emnify.api.resources.mfa import Mfa
    from airflow_provider_emnify.api.resources.operators import Operators
    from airflow_provider_emnify.api.resources.organisations import Organisations
    from airflow_provider_emnify.api.resources.quotas import Quotas
    from airflow_provider_emnify.api.resources.service_profiles import ServiceProfiles
    from airflow_provider_emnify.api.resources.services import Services
    from airflow_provider_emnify.api.resources.sim_batches import SimBatches
    from airflow_provider_emnify.api.resources.sim_operations import SimOperations
    from airflow_provider_emnify.api.resources.sims import Sims
    from airflow_provider_emnify.api.resources.sms import Sms
    from airflow_provider_emnify.api.resources.statistics import Statistics
    from airflow_provider_emnify.api.resources.system_events import SystemEvents
    from airflow_provider_emnify.api.resources.tags import Tags
    from airflow_provider_emnify.api.resources.tariff_plans import TariffPlans
    from airflow_provider_emnify.api.resources.tariff_profiles import TariffProfiles
    from airflow_provider_emnify.api.resources.traffic_limits import TrafficLimits
    from airflow_provider_emnify.api.resources.users import Users
    from airflow_provider_emnify.api.resources.workspaces import Workspaces
    from airflow_provider_emnify.api.transport.transport import Transport


class Resources:
    """Something with an attribute for each resource: what the client is.

    :param transport: Sends the requests of the resources.
    """

    api_callbacks: ApiCallbacks
    api_secrets: ApiSecrets
    application_tokens: ApplicationTokens
    authentication: Authentication
    automations: Automations
    cloud_connect: CloudConnect
    custom_events: CustomEvents
    data_streams: DataStreams
    dns: Dns
    endpoints: Endpoints
    euiccs: Euiccs
    events: Events
    ip_address_spaces: IpAddressSpaces
    lookups: Lookups
    mfa: Mfa
    operators: Operators
    organisations: Organisations
    quotas: Quotas
    service_profiles: ServiceProfiles
    services: Services
    sim_batches: SimBatches
    sim_operations: SimOperations
    sims: Sims
    sms: Sms
    statistics: Statistics
    system_events: SystemEvents
    tags: Tags
    tariff_plans: TariffPlans
    tariff_profiles: TariffProfiles
    traffic_limits: TrafficLimits
    users: Users
    workspaces: Workspaces

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    if not TYPE_CHECKING:  # else any name would be an attribute

        def __getattr__(self, name: str) -> Any:
            if name not in RESOURCES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self.__dict__.setdefault(name, RESOURCES[name](self.transport))


class _Registry(Mapping[str, "type[Resource]"]):
    """The classes of the resources, each in the file of its name."""

    def __getitem__(self, name: str) -> type[Resource]:
        kind = Resources.__annotations__[name]
        found: type[Resource] = getattr(import_module(f"{__name__}.{name}"), kind)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(Resources.__annotations__)

    def __len__(self) -> int:
        return len(Resources.__annotations__)


RESOURCES: Mapping[str, type[Resource]] = _Registry()
"""Every resource by the name of its attribute on the client."""

__all__ = ["RESOURCES", "Operation", "Resources", "operations_of"]
