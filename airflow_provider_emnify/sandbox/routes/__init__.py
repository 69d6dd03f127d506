"""The operations that the sandbox serves, a file per resource. Importing this registers them all."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.routes import (  # noqa: F401 - importing registers the routes
    addresses,
    application_tokens,
    authentication,
    automations,
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
    organisations,
    quotas,
    service_profiles,
    sim_operations,
    sims,
    sms,
    statistics,
    tags,
    tariff_profiles,
    users,
    workspaces,
)
