"""SIM batches: SIMs that are bought together and registered by a code on the box."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.api.resources.operation import Resource, declared
from airflow_provider_emnify.api.types import Row


class SimBatches(Resource):
    """The SIM batches that an organisation bought, as ``client.sim_batches``."""

    @declared("GET", "/api/v1/sim_batch/bic/{bic}")
    def validate(self, bic: str) -> Row:
        """Return a SIM batch that can be registered.

        See https://docs.emnify.com/developers/api/sim/validate-sim-batch-by-bic

        :param bic: Batch identification code.
        :raises EmnifyValidationError: if it is registered already (400), or cannot be registered (422).
        :raises EmnifyNotFoundError: if there is none of this code.
        """

    @declared("PATCH", "/api/v1/sim_batch/bic/{bic}", idempotent=False, holds={"sim": list})
    def register(self, bic: str, *, sim_status: SimStatus | str | int | None = None) -> Row:
        """Register a SIM batch: its SIMs belong to the own organisation then.

        See https://docs.emnify.com/developers/api/sim/register-sim-batch-by-bic

        :param bic: Batch identification code.
        :param sim_status: Status that the SIMs get: ``issued``, ``activated``, ``suspended``, or
            ``factory_test`` where the tariff plan has it. **Activated SIMs bill.**
        :returns: The batch with its SIMs.
        """
