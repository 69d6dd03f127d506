"""The plugin of Airflow that hangs the callbacks into its API server.

Every process of Airflow imports it, so it imports nothing else; what serves the callbacks is made only where
they are switched on, in the API server.
"""

from __future__ import annotations

import logging
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

logger = logging.getLogger(__name__)


class EmnifyPlugin(AirflowPlugin):
    """Serves ``/emnify/callbacks`` for the connections that ``[emnify] callbacks`` names."""

    name = "emnify"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, none where no connection is named. Airflow 3 asks for it in its API server."""
        if not conf.get("emnify", "callbacks", fallback="").strip():
            return []
        try:
            from airflow_provider_emnify.callbacks.app import build_app
            from airflow_provider_emnify.callbacks.settings import CallbackSettings

            app = build_app(CallbackSettings.from_configuration())
        except Exception:  # Airflow's API server has to start all the same
            logger.exception("[emnify] callbacks is set, but no callbacks are served")
            return []
        return [{"name": "emnify callbacks", "app": app, "url_prefix": "/emnify/callbacks"}]

    @cached_property
    def flask_blueprints(self) -> list[Any]:  # type: ignore[override]
        """None. Airflow 2 asks for it in its web server, which says once that it takes no callbacks."""
        if find_spec("airflow.sdk") is None and conf.get("emnify", "callbacks", fallback="").strip():
            logger.warning(
                "[emnify] callbacks is set, but Airflow 2 has no server that could take emnify's callbacks: "
                "nothing is served. They need Airflow 3; sensors and syncs work without them"
            )
        return []
