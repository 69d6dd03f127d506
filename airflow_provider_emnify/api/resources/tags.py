"""Tags: labels of endpoints, with a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emnify.api.resources.bulk import send_in_chunks, split
from airflow_provider_emnify.api.resources.endpoint_tags import assigned_tags
from airflow_provider_emnify.api.resources.endpoints import Endpoints
from airflow_provider_emnify.api.resources.fields import as_rows, ref, refs
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.recover import created_since, having
from airflow_provider_emnify.api.types import Id, Ids, Numbers, Row, Rows
from airflow_provider_emnify.api.values import parse_ids


class Tags(Resource):
    """The tags of an organisation, as ``client.tags``.

    The tags of one endpoint are in ``client.endpoints``: ``tags``, ``assign_tag``, ``unassign_tag``.
    """

    @declared("GET", "/api/v2/tags", paged=True, envelope=True, ids=int)
    def list(self, *, name: str | None = None, per_page: int | None = None) -> Listing:
        """List the tags, lazily.

        See https://docs.emnify.com/developers/api/tag-management/list-tags

        :param name: Only tags of this name.
        :param per_page: Rows a request.
        """

    @operation("POST", "/api/v2/tags", ids=int)
    def create(self, call: Call, *, name: str, color_id: Id | None = None) -> Row:
        """Create a tag. emnify refuses a second one of the same name.

        See https://docs.emnify.com/developers/api/tag-management/create-tag

        :param name: Name of the tag.
        :param color_id: Id of its colour, see :meth:`colors`. Without it: any.
        :returns: The tag, with at least its ``id``.
        """
        find = created_since(lambda: self.list(name=name), having(name=name))
        return call.create(json=call.fields(), find=find, unique=True)

    @declared("PATCH", "/api/v2/tags/{tag_id}")
    def update(self, tag_id: Id, *, name: str | None = None, color_id: Id | None = None) -> None:
        """Change a tag; only what is given is changed.

        See https://docs.emnify.com/developers/api/tag-management/update-tag

        :param tag_id: Id of the tag.
        :param name: Name of the tag.
        :param color_id: Id of its colour.
        """

    @declared("DELETE", "/api/v2/tags/{tag_id}")
    def delete(self, tag_id: Id) -> None:
        """Delete a tag. Endpoints and automations lose it.

        See https://docs.emnify.com/developers/api/tag-management/delete-tag

        :param tag_id: Id of the tag.
        """

    @operation("POST", "/api/v2/bulk-operations/tag/delete-tags", answer="acknowledgement")
    def delete_many(self, call: Call, tag_ids: Ids) -> Numbers:
        """Delete tags, 2,000 a request. Endpoints and automations lose them.

        See https://docs.emnify.com/developers/api/tag-management/delete-tags-in-bulk

        :param tag_ids: Ids of the tags.
        :returns: The ids.
        :raises EmnifyPartialError: if a request failed and some are still there.
        """

        def send(ids: Numbers) -> Numbers:
            call.request(json={"tags": refs(ids, "tag_ids")})
            return ids

        def look(ids: Numbers) -> tuple[Numbers, Numbers]:
            left = {int(row["id"]) for row in self.list()}
            return split(ids, lambda id: id not in left)

        return send_in_chunks(parse_ids(tag_ids, "tag_ids"), send=send, look=look, what="delete tags")

    @declared("GET", "/api/v2/tag-colors", ids=int)
    def colors(self) -> Rows:
        """Return the colours that a tag can have.

        See https://docs.emnify.com/developers/api/tag-management/list-tag-colors
        """

    @operation("POST", "/api/v2/bulk-operations/endpoint/add-tags", answer="acknowledgement")
    def assign_many(self, call: Call, items: Sequence[Mapping[str, Any]]) -> Rows:
        """Give endpoints tags, 2,000 endpoints a request.

        See https://docs.emnify.com/developers/api/tag-management/assign-tag-to-endpoints-in-bulk

        :param items: A row for each endpoint: ``endpoint_id`` and ``tag_ids``.
        :returns: The rows.
        :raises EmnifyPartialError: if a request failed and some tags are not assigned: emnify refuses a
            request in which one is assigned already. With the rows that are done and those that are not.
        """
        return self._send(call, items, lambda has, tags: tags <= has, "assign tags")

    @operation("POST", "/api/v2/bulk-operations/endpoint/remove-tags", answer="acknowledgement")
    def unassign_many(self, call: Call, items: Sequence[Mapping[str, Any]]) -> Rows:
        """Take tags from endpoints, 2,000 endpoints a request.

        See https://docs.emnify.com/developers/api/tag-management/unassign-tags-from-endpoints-in-bulk

        :param items: A row for each endpoint: ``endpoint_id`` and ``tag_ids``.
        :returns: The rows.
        :raises EmnifyPartialError: if a request failed and some tags are still assigned; with the rows that
            are done and those that are not.
        """
        return self._send(call, items, lambda has, tags: not tags & has, "unassign tags")

    def _send(self, call: Call, items: Sequence[Mapping[str, Any]], is_done: Any, what: str) -> Rows:
        rows = as_rows(items, "items")

        def send(chunk: Rows) -> Rows:
            call.request(json={"items": [_item(row) for row in chunk]})
            return chunk

        def look(chunk: Rows) -> tuple[Rows, Rows]:
            ids = [_item(row)["endpoint"]["id"] for row in chunk]
            has = assigned_tags(Endpoints(self.transport), ids)
            return split(
                chunk,
                lambda row: is_done(
                    has.get(_item(row)["endpoint"]["id"], set()), {*parse_ids(row["tag_ids"], "tag_ids")}
                ),
            )

        for row in rows:  # a bad one is refused before the first request
            _item(row)
        return send_in_chunks(rows, send=send, look=look, what=what)


def _item(row: Mapping[str, Any]) -> Row:
    if set(row) != {"endpoint_id", "tag_ids"}:
        raise ValueError(f"{dict(row)!r}: give endpoint_id and tag_ids")
    return {"endpoint": ref(row["endpoint_id"], "endpoint_id"), "tags": refs(row["tag_ids"], "tag_ids")}
