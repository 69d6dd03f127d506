"""SIM operations: what emnify does with many eSIMs at once, and finishes later."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_emnify.api.resources.fields import given, ref, refs
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.answers import part, parts
from airflow_provider_emnify.api.transport.recover import BEGINNING, created_since
from airflow_provider_emnify.api.types import Id, Ids, Row, Rows
from airflow_provider_emnify.api.values import parse_texts


class SimOperations(Resource):
    """The SIM operations of an organisation, as ``client.sim_operations``."""

    @declared("GET", "/api/v1/sim/operation", paged=True, ids=str)
    def list(
        self,
        *,
        id: str | None = None,
        action: int | str | None = None,
        status: int | str | None = None,
        q: str | None = None,
        sort: str | None = "-creation_date",
        per_page: int | None = None,
    ) -> Listing:
        """List the SIM operations, lazily, the latest first.

        See https://docs.emnify.com/developers/api/sim-operation/list-sim-operation

        :param id: Only the operation of this id.
        :param action: Only this action, see :meth:`actions`.
        :param status: Only this status, see :meth:`statuses`.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, action, status, creation_date,
            finalization_date.
        :param per_page: Rows a request.
        """

    @operation("POST", "/api/v1/sim/operation", ids=str)
    def trigger(
        self,
        call: Call,
        *,
        action_id: Id,
        sim_ids: Ids | None = None,
        eids: Sequence[str] | None = None,
        product_id: Id | None = None,
    ) -> Row:
        """Start a SIM operation.

        When the answer is lost, the operation is looked for by its action, product and targets among those
        that are newer than the call.

        See https://docs.emnify.com/developers/api/sim-operation/trigger-sim-operation

        :param action_id: Id of the action, see :meth:`actions`.
        :param sim_ids: Ids of the SIMs that it is for.
        :param eids: eIDs that it is for.
        :param product_id: Id of the product, where the action needs one.
        :returns: The operation, with its ``id``; :meth:`get` tells when it is over.
        :raises ValueError: if it is for no SIM and no eID.
        :raises EmnifyUnknownOutcomeError: if the answer is lost and the operation is not found.
        """
        target: Rows = [{"sim": sim} for sim in refs(sim_ids, "sim_ids") or ()]
        target += [{"eid": eid} for eid in parse_texts(eids, "eids")]
        if not target:
            raise ValueError("give sim_ids or eids")
        body = given(action=ref(action_id, "action_id"), product=ref(product_id, "product_id"), target=target)
        find = created_since(
            lambda: self.list(per_page=BEGINNING), lambda there: _is_made_from(there, body), BEGINNING
        )
        return call.create(json=body, find=find)

    @declared("GET", "/api/v1/sim/operation/{operation_id}", ids=str)
    def get(self, operation_id: str) -> Row:
        """Return a SIM operation. It is over when ``finalization_date`` is set.

        ``failed_count`` and ``error`` then tell what failed, which can be a part.

        See https://docs.emnify.com/developers/api/sim-operation/get-sim-operation

        :param operation_id: Id of the operation.
        """

    @declared("GET", "/api/v1/sim/operation/action", answer="lookup", ids=int, holds={"description": str})
    def actions(self) -> Rows:
        """Return the actions that there are.

        See https://docs.emnify.com/developers/api/sim-operation/list-sim-operation-action
        """

    @declared("GET", "/api/v1/sim/operation/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that a SIM operation can have.

        See https://docs.emnify.com/developers/api/sim-operation/list-sim-operation-status
        """


def _is_made_from(there: Row, body: Row) -> bool:
    targets = parts(there, "target")
    sims = [part(target, "sim").get("id") for target in targets]
    eids = [target.get("eid") for target in targets]
    return (
        part(there, "action").get("id") == body["action"]["id"]
        and part(body, "product").get("id") in {None, part(there, "product").get("id")}
        and len(targets) == len(body["target"])
        and all(
            target["sim"]["id"] in sims if "sim" in target else target["eid"] in eids
            for target in body["target"]
        )
    )
