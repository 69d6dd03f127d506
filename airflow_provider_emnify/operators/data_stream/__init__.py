"""emnify's Data Streamer: create, update, restart and delete data streams."""

from __future__ import annotations

from airflow_provider_emnify.operators.data_stream.lifecycle import (
    EmnifyCreateDataStreamOperator,
    EmnifyDeleteDataStreamOperator,
    EmnifyRestartDataStreamOperator,
    EmnifyUpdateDataStreamOperator,
)

__all__ = [
    "EmnifyCreateDataStreamOperator",
    "EmnifyDeleteDataStreamOperator",
    "EmnifyRestartDataStreamOperator",
    "EmnifyUpdateDataStreamOperator",
]
