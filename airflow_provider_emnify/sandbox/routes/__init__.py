"""The operations that the sandbox serves, a file per resource. Importing this registers them all."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.routes import (  # noqa: F401 - importing registers the routes
    application_tokens,
    authentication,
    batches,
    bulk,
    callbacks,
    cloud_connect,
    data_streams,
    endpoints,
    euiccs,
    events,
    graphql,
    lookups,
    mfa,
    migration,
    operators,
    organisations,
    profiles,
    quotas,
    sim_operations,
    sims,
    sms,
    statistics,
    tags,
    users,
    workspaces,
)
