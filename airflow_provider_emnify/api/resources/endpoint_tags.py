"""The tags of endpoints: where emnify shows them, and how those of several are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.transport.answers import is_id, parts
from airflow_provider_emnify.api.types import Row

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.endpoints import Endpoints

TAGS_OF = "tag_assignments"
"""Where the list of endpoints has the tags of each; a single endpoint's own answer need not."""


def assigned_tags(endpoints: Endpoints, endpoint_ids: Sequence[int]) -> dict[int, set[int]]:
    """Return the ids of the tags of those endpoints that exist, in the fewest requests."""
    rows = read_rows(
        endpoint_ids,
        get=lambda endpoint_id: {TAGS_OF: [*endpoints.tags(endpoint_id)]},
        list_all=endpoints.list,
    )
    return {key: tag_ids_of(row) for key, row in rows.items()}


def tag_ids_of(row: Row) -> set[int]:
    """Return the ids of the tags of an endpoint, as the list of endpoints has them."""
    return {int(tag["id"]) for tag in parts(row, TAGS_OF) if is_id(tag.get("id"), int)}
