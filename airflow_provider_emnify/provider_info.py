"""What Airflow knows of this provider: connection type and form, modules, links.

Read whenever Airflow starts, so it imports no Airflow and nothing heavy. Airflow 3.2 and later take the
connection form from here alone.
"""

from __future__ import annotations

from airflow_provider_emnify import __version__
from airflow_provider_emnify.hooks.form import conn_fields, ui_field_behaviour

_INTEGRATION = "emnify"
_PACKAGE = "airflow_provider_emnify"


def _modules(*names: str) -> list[dict[str, object]]:
    return [
        {"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{name}" for name in names]},
    ]


_ASSET_URIS: list[dict[str, object]] = [
    {
        "schemes": ["emnify"],
        "handler": f"{_PACKAGE}.assets.sanitize_uri",
        "factory": f"{_PACKAGE}.assets.create_asset",
        "to_openlineage_converter": f"{_PACKAGE}.assets.convert_asset_to_openlineage",
    },
]

_CONFIG: dict[str, object] = {
    "emnify": {
        "description": "Waits for emnify in the triggerer, and what emnify sends to the API server.",
        "options": {
            "callbacks": {
                "description": "The connections, separated by commas, whose callbacks the API server takes: "
                "SMS and receipts at /emnify/callbacks/<connection>/sms, records of data streams at "
                "/emnify/callbacks/<connection>/stream/<secret>. Empty: none. Needs Airflow 3.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "emnify_default",
                "default": "",
            },
            "callbacks_unsigned": {
                "description": "Whether callbacks of a connection without a secret (api_secret or "
                "stream_secret in its extra) are taken: then whoever reaches the API server can start DAGs.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "False",
            },
            "callbacks_path": {
                "description": "Directory, as a path or a URL of any object storage, for the records that "
                "come in bulk, and for what comes for an asset that no DAG knows yet.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "s3://aws_default@bucket/emnify",
                "default": "",
            },
            "callbacks_per_minute": {
                "description": "How many callbacks of a connection each process of the API server takes in a "
                "minute; what is more is answered with 429.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "3000",
            },
            "event_hold": {
                "description": "Seconds after its start before which a deferred wait does not report its "
                "end, so that a scheduler that is behind has noticed that the task has deferred. At most "
                "half of the wait's poll interval, or two seconds where that is shorter.",
                "version_added": "0.1.0",
                "type": "float",
                "example": None,
                "default": "10",
            },
            "triggerer_gc_freeze": {
                "description": "Whether what lives in a triggerer is taken out of Python's full garbage "
                "collections (gc.freeze) when the number of waits grows. These hold up every trigger of the "
                "process; it concerns the objects of all providers.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "False",
            },
        },
    },
}

PROVIDER_INFO: dict[str, object] = {
    "package-name": "airflow-provider-emnify",
    "name": "emnify",
    "description": "`emnify <https://www.emnify.com>`__, the cellular network for IoT devices: provision "
    "and retire devices, wait for them, react to their events, and sync inventory and usage.",
    "versions": [__version__],
    "integrations": [
        {
            "integration-name": _INTEGRATION,
            "external-doc-url": "https://docs.emnify.com/developers/api",
            "tags": ["service"],
        },
    ],
    "connection-types": [
        {
            "connection-type": "emnify",
            "hook-class-name": f"{_PACKAGE}.hooks.emnify.EmnifyHook",
            "hook-name": "emnify",
            "conn-fields": conn_fields(),
            "ui-field-behaviour": ui_field_behaviour(kebab_case=True),
        },
    ],
    "config": _CONFIG,
    "cli": [f"{_PACKAGE}.hooks.doctor.command.airflow_commands"],
    "hooks": _modules("hooks.emnify"),
    "operators": _modules(
        "operators.emnify",
        "operators.graphql",
        "operators.user",
        "operators.endpoint",
        "operators.sms",
        "operators.quota",
        "operators.tag",
        "operators.sim",
        "operators.euicc",
        "operators.data_stream",
        "operators.cloud_connect",
        "operators.callbacks",
        "operators.fleet",
    ),
    "sensors": _modules(
        "sensors.endpoint",
        "sensors.sim",
        "sensors.sms",
        "sensors.user",
        "sensors.quota",
        "sensors.event",
        "sensors.euicc",
        "sensors.data_stream",
        "sensors.cloud_connect",
    ),
    "triggers": _modules("triggers.wait", "triggers.event", "triggers.status"),
    "transfers": [
        {
            "source-integration-name": _INTEGRATION,
            "target-integration-name": target,
            "python-module": f"{_PACKAGE}.transfers.{module}",
        }
        for module, target in (
            ("sql", "Common SQL"),
            ("object_storage", "Common IO"),
            ("data_stream_files", "Common SQL"),
        )
    ],
    # Airflow 2.11 knows assets as datasets.
    "asset-uris": _ASSET_URIS,
    "dataset-uris": _ASSET_URIS,
    "extra-links": [
        f"{_PACKAGE}.links.EmnifyDevicesLink",
        f"{_PACKAGE}.links.EmnifySimsLink",
        f"{_PACKAGE}.links.EmnifyUsersLink",
    ],
}
