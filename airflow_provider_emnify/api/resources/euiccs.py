"""eUICCs: eSIM chips, their profiles, and operations on them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emnify.api.errors import EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.resources.fields import as_fields, as_rows
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.transport.recover import BEGINNING, created_since, recover
from airflow_provider_emnify.api.types import Id, Row, Rows
from airflow_provider_emnify.api.values import parse_texts


class Euiccs(Resource):
    """The eUICCs of an organisation and their operations, as ``client.euiccs``.

    Operations are for IoT eUICCs; others answer 404.
    """

    @declared("GET", "/api/v1/euicc", paged=True, ids=int)
    def list(
        self,
        *,
        id: Id | None = None,
        eid: str | None = None,
        supported_profile_type: int | str | None = None,
        status: int | str | None = None,
        eim: int | str | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = 1000,
    ) -> Listing:
        """List eUICCs with their profiles, lazily.

        See https://docs.emnify.com/developers/api/euicc/list-euiccs

        :param id: Only the eUICC of this id.
        :param eid: Only the eUICC of this eID.
        :param supported_profile_type: Only those that support this type of profile.
        :param status: Only this status, see :meth:`statuses`.
        :param eim: Only those of this eIM.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, eid, modified,
            supported_profile_type, status, eim. By ``id`` the newest come first.
        :param per_page: Rows a request.
        """

    @declared("GET", "/api/v1/euicc/{euicc_id}", ids=int)
    def get(self, euicc_id: Id) -> Row:
        """Return an eUICC with its profiles.

        See https://docs.emnify.com/developers/api/euicc/get-euicc

        :param euicc_id: Id of the eUICC.
        """

    @declared("GET", "/api/v1/euicc/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that an eUICC can have. emnify reserves them for later.

        See https://docs.emnify.com/developers/api/euicc/list-euicc-status
        """

    @declared("GET", "/api/v1/euicc/profile/status", ids=int)
    def profile_statuses(self) -> Rows:
        """Return the statuses that a profile on an eUICC can have.

        See https://docs.emnify.com/developers/api/euicc/list-euicc-profile-status
        """

    @operation("POST", "/api/v1/euicc/unlinked_validation", idempotent=True)
    def validate_unlinked(self, call: Call, eids: Sequence[str]) -> Rows:
        """Return those of some eUICCs that emnify names when asked whether they have no profile linked.

        See https://docs.emnify.com/developers/api/euicc/post-euicc-unlinked-validation

        :param eids: eIDs of the eUICCs.
        """
        named: Rows = call.request(json={"target": [{"eid": eid} for eid in parse_texts(eids, "eids")]})
        return named

    @declared("GET", "/api/v1/euicc/{euicc_id}/operation", paged=True, ids=str)
    def operations(
        self,
        euicc_id: Id,
        *,
        id: str | None = None,
        action: int | str | None = None,
        status: int | str | None = None,
        iccid_with_luhn: str | None = None,
        q: str | None = None,
        sort: str | None = "-creation_date",
        per_page: int | None = 1000,
    ) -> Listing:
        """List the operations on an eUICC, lazily, the latest first.

        See https://docs.emnify.com/developers/api/euicc-operation/list-operation

        :param euicc_id: Id of the eUICC.
        :param id: Only the operation of this id.
        :param action: Only this action, see :meth:`operation_actions`.
        :param status: Only this status, see :meth:`operation_statuses`.
        :param iccid_with_luhn: Only those on the profile of this ICCID, 20 digits.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, action, status, iccid_with_luhn,
            creation_date, expiry_date, finalization_date.
        :param per_page: Rows a request, at most 1,000.
        """

    @operation(
        "POST",
        "/api/v1/euicc/{euicc_id}/operation",
        answer="list",
        ids=str,
        secret_arguments=("activation_code",),
    )
    def schedule_operation(
        self,
        call: Call,
        euicc_id: Id,
        *,
        action_id: Id,
        validity_period: int | None = None,
        iccid_with_luhn: str | None = None,
        activation_code: str | None = None,
        enable: bool | None = None,
        rollback: bool | None = None,
    ) -> Row:
        """Schedule an operation on an eUICC. It is done when the device is reached, which can take a day.

        When the answer is lost, the operation is looked for by its action and profile among those that are
        newer than the call.

        See https://docs.emnify.com/developers/api/euicc-operation/schedule-operations

        :param euicc_id: Id of the eUICC.
        :param action_id: Id of the action, see :meth:`operation_actions`.
        :param validity_period: Seconds until it expires; emnify's default is 86,400.
        :param iccid_with_luhn: ICCID of the profile that it is for, 20 digits.
        :param activation_code: Activation code of a profile to download.
        :param enable: Whether a downloaded profile is enabled.
        :param rollback: Whether to go back to the last profile when the new one does not connect.
        :returns: The operation, with its ``id``; :meth:`get_operation` tells when it is over.
        :raises EmnifyUnknownOutcomeError: if the answer is lost and the operation is not found.
        """
        body = _scheduled(call.keywords)
        find = created_since(
            lambda: self.operations(euicc_id, per_page=BEGINNING),
            lambda there: _is_made_from(there, body),
            BEGINNING,
        )
        try:
            scheduled: Rows = call.request(json=[body])
            if len(scheduled) != 1:
                raise EmnifyUnknownOutcomeError(
                    f"one operation was to be scheduled, and the answer holds {len(scheduled)}",
                    method="POST",
                    path=f"/api/v1/euicc/{euicc_id}/operation",
                )
        except EmnifyUnknownOutcomeError as lost:
            found = recover(find, lost)
            if found is None:
                raise
            return found
        return dict(scheduled[0])

    @operation("POST", "/api/v1/euicc/{euicc_id}/operation", ids=str, secret_arguments=("activation_code",))
    def schedule_operations(self, call: Call, euicc_id: Id, operations: Sequence[Mapping[str, Any]]) -> Rows:
        """Schedule several operations on an eUICC in one request.

        See https://docs.emnify.com/developers/api/euicc-operation/schedule-operations

        :param euicc_id: Id of the eUICC.
        :param operations: A row for each, with the arguments of :meth:`schedule_operation`.
        :returns: The operations, with their ``id``.
        """
        scheduled: Rows = call.request(json=[_scheduled(row) for row in as_rows(operations, "operations")])
        return scheduled

    @declared("GET", "/api/v1/euicc/{euicc_id}/operation/{operation_id}", ids=str)
    def get_operation(self, euicc_id: Id, operation_id: str) -> Row:
        """Return an operation on an eUICC. It is over when ``finalization_date`` is set; see ``error`` then.

        See https://docs.emnify.com/developers/api/euicc-operation/get-operation

        :param euicc_id: Id of the eUICC.
        :param operation_id: Id of the operation.
        """

    @declared("DELETE", "/api/v1/euicc/{euicc_id}/operation/{operation_id}")
    def cancel_operation(self, euicc_id: Id, operation_id: str) -> None:
        """Cancel an operation on an eUICC. emnify reserves this for later.

        See https://docs.emnify.com/developers/api/euicc-operation/cancel-operation

        :param euicc_id: Id of the eUICC.
        :param operation_id: Id of the operation.
        """

    @declared("GET", "/api/v1/euicc/operation/action", answer="lookup", ids=int, holds={"description": str})
    def operation_actions(self) -> Rows:
        """Return the actions that can be scheduled.

        See https://docs.emnify.com/developers/api/euicc-operation/list-operation-action
        """

    @declared("GET", "/api/v1/euicc/operation/status", ids=int)
    def operation_statuses(self) -> Rows:
        """Return the statuses that an operation can have.

        See https://docs.emnify.com/developers/api/euicc-operation/list-operation-status
        """


_SCHEDULED = {*inspect.signature(Euiccs.schedule_operation).parameters} - {"self", "euicc_id"}


def _is_made_from(there: Row, body: Row) -> bool:
    asked = {"iccid_with_luhn": None, **body}
    return part(there, "action").get("id") == asked["action"]["id"] and asked["iccid_with_luhn"] in (
        None,
        there.get("iccid_with_luhn"),
    )


def _scheduled(row: Mapping[str, Any]) -> Row:
    if unknown := sorted(set(row) - _SCHEDULED):
        raise ValueError(f"{', '.join(unknown)}: no such field; allowed: {', '.join(sorted(_SCHEDULED))}")
    return as_fields(row, {})
