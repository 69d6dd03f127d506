"""An emnify to develop against: the REST API over HTTP, in memory, without SIMs or money.

It imports no Airflow, and shares with the rest of the package the enums of emnify's statuses only. uvicorn
and graphql-core (extra ``sandbox``) are imported where they are used.
"""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.limits import DOCUMENTED, Limit
from airflow_provider_emnify.sandbox.sandbox import Sandbox

__all__ = ["DOCUMENTED", "Limit", "Sandbox"]
