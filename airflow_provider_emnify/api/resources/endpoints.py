"""Endpoints (devices): one by one and in bulk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.errors import EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.resources.bulk import delete_in_chunks, read_ref, send_in_chunks, split
from airflow_provider_emnify.api.resources.endpoint_body import (
    NEW,
    changes,
    differences,
    is_deleted,
    match_created,
    new_endpoint,
)
from airflow_provider_emnify.api.resources.endpoint_network import EndpointNetwork
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.resources.fields import UNSET, Unset, as_rows, ref, refs
from airflow_provider_emnify.api.resources.operation import Call, declared, operation
from airflow_provider_emnify.api.resources.sims import Sims
from airflow_provider_emnify.api.transport.answers import Shape
from airflow_provider_emnify.api.transport.page import BEYOND
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Dated, Id, Ids, Numbers, Row, Rows
from airflow_provider_emnify.api.values import parse_ids


class Endpoints(EndpointNetwork):
    """The endpoints of an organisation, as ``client.endpoints``.

    emnify wants single writes on endpoints one after another; the client sees to that.
    """

    @declared("GET", "/api/v1/endpoint", paged=True, ids=int)
    def list(
        self,
        *,
        id: Id | None = None,
        name: str | None = None,
        status: EndpointStatus | str | int | None = None,
        sim_status: SimStatus | str | int | None = None,
        service_profile_id: Id | None = None,
        tariff_profile_id: Id | None = None,
        tags: str | None = None,
        ip_address: str | None = None,
        imei: str | None = None,
        iccid: str | None = None,
        iccid_with_luhn: str | None = None,
        eid: str | None = None,
        created: Dated | None = None,
        last_updated: Dated | None = None,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = 1000,
    ) -> Listing:
        """List endpoints, lazily, the newest first.

        See https://docs.emnify.com/developers/api/endpoint/get-endpoints

        :param id: Only the endpoint of this id.
        :param name: Only endpoints of this name.
        :param status: ``enabled``, ``disabled`` or ``deleted``.
        :param sim_status: Status of the SIM: ``issued``, ``activated``, ``suspended`` or ``factory_test``.
        :param service_profile_id: Id of the service profile.
        :param tariff_profile_id: Id of the tariff profile.
        :param tags: A tag.
        :param ip_address: IP address.
        :param imei: IMEI.
        :param iccid: ICCID of the SIM without its check digit, 19 digits.
        :param iccid_with_luhn: ICCID of the SIM with its check digit, 20 digits.
        :param eid: eID of the eUICC.
        :param created: When it was created.
        :param last_updated: When it was last changed.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by instead, ``-`` before a descending one: ``-status,name``.
        :param per_page: Rows a request, at most 1,000.
        """

    @operation("POST", "/api/v1/endpoint", ids=int)
    def create(
        self,
        call: Call,
        *,
        service_profile_id: Id,
        tariff_profile_id: Id,
        status: EndpointStatus | str | int = EndpointStatus.ENABLED,
        name: str | None = None,
        sim_id: Id | None = None,
        activate_sim: bool = False,
        sim_status: SimStatus | str | int | None = None,
        tags: str | None = None,
        imei: str | None = None,
        imei_lock: bool | None = None,
        ip_address: str | None = None,
        ip_address_space_id: Id | None = None,
        organisation_id: Id | None = None,
    ) -> Row:
        """Create an endpoint. For more than a few, see :meth:`create_many`.

        When the answer is lost, the endpoint is looked for by its SIM, or else by its name among those that
        are newer than the call.

        See https://docs.emnify.com/developers/api/endpoint/create-endpoint

        :param service_profile_id: Id of the service profile: what it may do on the network.
        :param tariff_profile_id: Id of the tariff profile: what it costs.
        :param status: ``enabled`` or ``disabled``.
        :param name: Name of the endpoint.
        :param sim_id: Id of the SIM that it gets, which no endpoint may have.
        :param activate_sim: Activate the SIM. **An activated SIM bills, also on a disabled endpoint.**
        :param sim_status: Status of the SIM instead: ``activated``, or ``factory_test`` where it is allowed.
        :param tags: Tags, separated by commas.
        :param imei: IMEISV of the device, 16 digits.
        :param imei_lock: Whether no other device may use the SIM.
        :param ip_address: Private IP address; needs ``ip_address_space_id``.
        :param ip_address_space_id: Id of the address space.
        :param organisation_id: Organisation that it is for, when that is a child.
        :returns: The endpoint, with at least its ``id``.
        :raises EmnifyUnknownOutcomeError: if the answer is lost and the endpoint is not found.
        """
        item = {name: call.arguments.pop(name) for name in NEW}
        body = {**call.fields(status=EndpointStatus.parse), **new_endpoint(item)}
        find: Callable[[], Row | None] | None = None
        if sim_id is not None:
            find = self._finder_by_sim(sim_id, name)
        elif name is not None:
            find = self._finder_by_name(item)
        return call.create(json=body, find=find, unique=sim_id is not None)

    @declared("GET", "/api/v1/endpoint/{endpoint_id}", ids=int)
    def get(self, endpoint_id: Id) -> Row:
        """Return an endpoint with its SIM and profiles.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-by-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @operation("PATCH", "/api/v1/endpoint/{endpoint_id}")
    def update(
        self,
        call: Call,
        endpoint_id: Id,
        *,
        name: str | None = None,
        status: EndpointStatus | str | int | None = None,
        sim_id: Id | Unset | None = UNSET,
        sim_status: SimStatus | str | int | None = None,
        service_profile_id: Id | None = None,
        tariff_profile_id: Id | None = None,
        tags: str | None = None,
        imei: str | None = None,
        imei_lock: bool | None = None,
        ip_address: str | None = None,
        ip_address_space_id: Id | None = None,
    ) -> None:
        """Change an endpoint; only what is given is changed. For more than a few, see :meth:`update_many`.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-by-id-patch

        :param endpoint_id: Id of the endpoint.
        :param name: Name of the endpoint.
        :param status: ``enabled`` or ``disabled``. The SIM keeps its status, and an activated one bills.
        :param sim_id: Id of the SIM that it gets; None takes its SIM away.
        :param sim_status: Status of the SIM: ``activated``, ``suspended`` or ``factory_test``.
        :param service_profile_id: Id of the service profile.
        :param tariff_profile_id: Id of the tariff profile.
        :param tags: Tags, separated by commas; they replace those it has.
        :param imei: IMEISV of the device, 16 digits.
        :param imei_lock: Whether no other device may use the SIM.
        :param ip_address: Private IP address; needs ``ip_address_space_id``.
        :param ip_address_space_id: Id of the address space.
        """
        call.request(json=changes(call.keywords))

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}")
    def delete(self, endpoint_id: Id) -> None:
        """Delete an endpoint that has no SIM. :meth:`delete_many` takes the SIM away itself.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-by-id-delete

        :param endpoint_id: Id of the endpoint.
        :raises EmnifyConflictError: if it has a SIM.
        """

    @declared("GET", "/api/v1/endpoint/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses of endpoints, see :class:`~airflow_provider_emnify.api.EndpointStatus`.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-status-get
        """

    @operation("POST", "/api/v2/endpoint/multi", ids=int)
    def create_many(
        self,
        call: Call,
        endpoints: Sequence[Mapping[str, Any]],
        *,
        service_profile_id: Id,
        tariff_profile_id: Id,
        status: EndpointStatus | str | int = EndpointStatus.ENABLED,
        ip_address_space_id: Id | None = None,
        organisation_id: Id | None = None,
    ) -> Rows:
        """Create endpoints, 2,000 a request, one request after another.

        After a failed request its endpoints are looked for by SIM, IP address or name among those newer
        than the call. What is found was created, and when that is all, the next request follows.

        See https://docs.emnify.com/developers/api/endpoint/bulk-create-endpoint

        :param endpoints: A row for each: ``name``, ``sim_id``, ``activate_sim`` (default False: **an
            activated SIM bills**), ``sim_status``, ``tags``, ``imei``, ``imei_lock``, ``ip_address``.
        :param service_profile_id: Id of the service profile of all.
        :param tariff_profile_id: Id of the tariff profile of all.
        :param status: ``enabled`` or ``disabled``, of all.
        :param ip_address_space_id: Id of the address space; needed when a row has an ``ip_address``.
        :param organisation_id: Organisation that they are for, when that is a child.
        :returns: The endpoints.
        :raises EmnifyPartialError: if a request failed and not all of its endpoints were created; with the
            endpoints that were and the rows of those that were not.
        :raises ValueError: for a row with a field that is none of these.
        """
        shared = call.fields(status=EndpointStatus.parse)
        rows = as_rows(endpoints, "endpoints")
        for row in rows:  # a bad one is refused before the first is created
            new_endpoint(row)
        if not rows:
            return []
        newer = self._created_from_now()
        made: set[int] = set()  # of one name there can be several, in one request and in the next

        def send(chunk: Rows) -> Rows:
            created: Rows = call.request(json={**shared, "endpoints": [new_endpoint(row) for row in chunk]})
            if len(created) != len(chunk):
                raise EmnifyUnknownOutcomeError(
                    f"of {len(chunk)} endpoints that were to be created, the answer holds {len(created)}",
                    method="POST",
                    path="/api/v2/endpoint/multi",
                )
            made.update(int(row["id"]) for row in created)
            return created

        def look(chunk: Rows) -> tuple[Rows, Rows]:
            found, missing = match_created(chunk, [row for row in newer() if int(row["id"]) not in made])
            made.update(int(row["id"]) for row in found)
            return found, missing

        return send_in_chunks(rows, send=send, look=look, what="create endpoints")

    @operation("PATCH", "/api/v2/endpoint/multi")
    def update_many(self, call: Call, endpoints: Sequence[Mapping[str, Any]]) -> Numbers:
        """Change endpoints, 2,000 a request, one request after another.

        After a failed request its endpoints are read. When all are as asked for, the next request follows.

        See https://docs.emnify.com/developers/api/endpoint/bulk-update-endpoint

        :param endpoints: A row for each: ``id`` and what changes of ``name``, ``status``, ``sim_id`` (None
            takes the SIM away), ``sim_status``, ``service_profile_id``, ``tariff_profile_id``, ``tags``,
            ``imei``, ``imei_lock``, ``ip_address``, ``ip_address_space_id``.
        :returns: The ids.
        :raises EmnifyPartialError: if a request failed and not all of its endpoints are changed; with the
            ids that are and those that are not.
        :raises ValueError: for a row without ``id``, or with a field that is none of these.
        """
        wanted: dict[int, Row] = {}
        for fields in as_rows(endpoints, "endpoints"):
            endpoint_id = fields.pop("id", None)
            if endpoint_id is None:
                raise ValueError(f"endpoints: {fields!r} has no id")
            wanted[ref(endpoint_id, "id")["id"]] = changes(fields)

        def send(ids: Numbers) -> Numbers:
            call.request(json=[{"id": id, **wanted[id]} for id in ids])
            return ids

        def look(ids: Numbers) -> tuple[Numbers, Numbers]:
            found = self._read(ids)
            return split(ids, lambda id: id in found and not differences(found[id], wanted[id]))

        return send_in_chunks([*wanted], send=send, look=look, what="update endpoints")

    @operation("DELETE", "/api/v2/endpoint/multi")
    def delete_many(self, call: Call, endpoint_ids: Ids, *, delete_sims: bool = False) -> Numbers:
        """Delete endpoints, 2,000 a request; their SIMs are released and suspended.

        After a failed request its endpoints are looked for. When all are gone, the next request follows.

        See https://docs.emnify.com/developers/api/endpoint/bulk-delete-endpoint

        :param endpoint_ids: Ids of the endpoints.
        :param delete_sims: Delete their SIMs too. **A deleted SIM cannot be recovered.**
        :returns: The ids.
        :raises EmnifyPartialError: if a request failed and some of its endpoints are still there; with the
            ids that are deleted and those that are not.
        """

        def send(ids: Numbers) -> None:
            call.request(params={"delete_sims": delete_sims}, json=refs(ids, "endpoint_ids"))

        def look(ids: Numbers) -> tuple[Numbers, Numbers]:
            found = self._read(ids)
            return split(ids, lambda id: id not in found or is_deleted(found[id]))

        return delete_in_chunks(
            parse_ids(endpoint_ids, "endpoint_ids"), send=send, look=look, what="delete endpoints"
        )

    def _read(self, ids: Sequence[int]) -> dict[int, Row]:
        return read_rows(ids, get=self.get, list_all=self.list)

    def _created_from_now(self) -> Callable[[], Rows]:
        """Return what reads the endpoints that come from now on: those with higher ids than there are now."""
        query, shape = {"page": BEYOND, "per_page": 1}, Shape("list", int)
        last: Rows = self.transport.send(Request("GET", "/api/v1/endpoint", query=query, shape=shape)).body
        newest = max((int(row["id"]) for row in last), default=0)

        def newer() -> Rows:
            return [*takewhile(lambda row: int(row["id"]) > newest, self.list())]

        return newer

    def _finder_by_sim(self, sim_id: Id, name: str | None) -> Callable[[], Row | None]:
        def find() -> Row | None:
            sim = Sims(self.transport).get(sim_id)
            found = read_ref(sim, "endpoint")
            if found is None:
                return None
            endpoint = self.get(found)
            return endpoint if name in {None, endpoint.get("name")} else None

        return find

    def _finder_by_name(self, item: Row) -> Callable[[], Row | None]:
        newer = self._created_from_now()

        def find() -> Row | None:
            created, _ = match_created([item], newer())
            return created[0] if created else None

        return find
