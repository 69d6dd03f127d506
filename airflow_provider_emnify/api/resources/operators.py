"""Operators: the mobile networks that endpoints roam in."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared


class Operators(Resource):
    """The network operators, as ``client.operators``."""

    @declared("GET", "/api/v1/operator", ids=int)
    def list(self) -> Listing:
        """List the network operators with country, MNCs and TAP codes.

        See https://docs.emnify.com/developers/api/operator/operator-get
        """
