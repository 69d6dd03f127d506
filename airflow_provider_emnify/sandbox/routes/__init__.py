"""The operations that the sandbox serves, a file per resource. Importing this registers them all."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.routes import (  # noqa: F401 - importing registers the routes
    authentication,
    batches,
    bulk,
    cloud_connect,
    data_streams,
    endpoints,
    euiccs,
    events,
    mfa,
    migration,
    operators,
    organisations,
    quotas,
    sim_operations,
    sims,
    sms,
    tags,
    users,
    workspaces,
)
