"""The operations that the sandbox serves, a file per resource. Importing this registers them all."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.routes import (  # noqa: F401 - importing registers the routes
    authentication,
    batches,
    bulk,
    endpoints,
    events,
    mfa,
    migration,
    operators,
    organisations,
    quotas,
    sims,
    sms,
    tags,
    users,
    workspaces,
)
