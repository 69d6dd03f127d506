"""Tags of endpoints as tasks: give and take them, by name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.resources.few import FEW
from airflow_provider_emnify.api.resources.tags import assigned_tags
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import check_early, is_known, parse_bool, shorten
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row, Rows

_CHANGED_MEANWHILE = (EmnifyConflictError, EmnifyNotFoundError, EmnifyValidationError)


class _TagOperator(EmnifyBaseOperator):
    """Base of the two that give and take tags."""

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "tags", "tag_ids")
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(self, *, endpoint_ids: Any, tags: Any = None, tag_ids: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(tag_names, tags)
        check_early(parse_ids, tag_ids, "tag_ids")
        if is_known(tags) and is_known(tag_ids) and not tag_names(tags) and not parse_ids(tag_ids, "tag_ids"):
            raise ValueError("tags, tag_ids: give at least one tag")
        self.endpoint_ids = endpoint_ids
        self.tags = tags
        self.tag_ids = tag_ids

    def _known(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ids of those tags that exist, by name."""
        tags = self.client.tags
        lists = [tags.list(name=name) for name in names] if len(names) <= FEW else [tags.list()]
        return {row["name"]: int(row["id"]) for rows in lists for row in rows if row.get("name") in names}

    def _read(self, ids: Sequence[int]) -> dict[int, set[int]]:
        has = assigned_tags(self.client.endpoints, ids)
        missing = [key for key in ids if key not in has]
        if missing:
            raise ValueError(f"endpoint_ids: there is no endpoint {shorten(missing)}; nothing was changed")
        return has

    def _send(
        self,
        send: Callable[[Rows], Rows],
        ids: Sequence[int],
        tags: set[int],
        rows_of: Callable[[Mapping[int, set[int]]], Rows],
        has: Mapping[int, set[int]] | None = None,
    ) -> None:
        """Send what is to be changed; once more, when someone else has changed some of it in between.

        emnify refuses a request in which one tag is assigned, or not, already. For a single endpoint that
        answer comes with fewer requests than a look at its tags. One that is missing it names only when tags
        are added: so tags to remove are always looked at first.

        :param rows_of: Makes what is sent of the tags that each endpoint has.
        :param has: These tags, where they have been read.
        """
        rows = [{"endpoint_id": key, "tag_ids": sorted(tags)} for key in ids]
        if has is not None or len(ids) > 1:
            rows = rows_of(self._read(ids) if has is None else has)
        if not tags or not rows:
            return
        try:
            send(rows)
        except EmnifyPartialError as error:
            if not isinstance(error.__cause__, _CHANGED_MEANWHILE):
                raise
            rows = rows_of(self._read(ids))
            if rows:
                send(rows)


class EmnifyAddTagsOperator(_TagOperator):
    """Give endpoints (devices) tags, 2,000 endpoints a request. A tag that one has already is done.

    Tags are known by their exact name. A name that is not there yet fails the task before anything is
    changed, or is created if asked: once, also when an answer is lost or another run creates it meanwhile.

    .. code-block:: python

        EmnifyAddTagsOperator(task_id="tag", endpoint_ids=[7, 8], tags="pump,berlin", create_missing=True)

    :param endpoint_ids: One id or many (templated).
    :param tags: Names of tags (templated): ``"pump"``, ``"pump,berlin"`` or ``["pump", "berlin"]``.
    :param tag_ids: Ids of tags, instead or in addition (templated).
    :param create_missing: Whether to create tags whose name is not there yet (default False).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints.
    :raises ValueError: when the DAG is parsed, if no tag is given.
    :raises AirflowFailException: when a tag or an endpoint does not exist, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/tag-management/assign-tag-to-endpoints-in-bulk
    """

    def __init__(self, *, create_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.create_missing = parse_bool(create_missing, "create_missing")

    def execute(self, context: Context) -> list[int]:
        """Look for tags and endpoints, and assign what is missing."""
        ids, names = parse_endpoint_ids(self.endpoint_ids), tag_names(self.tags)
        wanted = set(parse_ids(self.tag_ids, "tag_ids"))
        if not ids:
            self.log.info("No endpoints given: nothing to do")
            return []
        known = self._known(names)
        new = [name for name in names if name not in known]
        if new and not self.create_missing:
            raise ValueError(
                f"tags: there is no tag {shorten(list(map(repr, new)))}; nothing was changed. Set "
                "create_missing=True to create it"
            )
        has = self._read(ids) if new else None  # a missing endpoint fails before a tag is created
        attempt = Attempt(self, context)
        wanted |= {*known.values(), *(self._create(attempt, name) for name in new)}

        def rows_of(has: Mapping[int, set[int]]) -> list[Row]:
            rows = [{"endpoint_id": key, "tag_ids": sorted(wanted - has[key])} for key in ids]
            rows = [row for row in rows if row["tag_ids"]]
            self.log.info(
                "Assigning tags %s to %d endpoints (%s), %d have them already",
                shorten(sorted(wanted)),
                len(rows),
                shorten([row["endpoint_id"] for row in rows]) or "none",
                len(ids) - len(rows),
            )
            return rows

        self._send(self.client.tags.assign_many, ids, wanted, rows_of, has)
        return ids

    def _create(self, attempt: Attempt, name: str) -> int:
        def decide(rows: Rows, _: Any) -> int | None:
            return next((int(row["id"]) for row in rows if row.get("name") == name), None)

        def create(_: Rows) -> int:
            self.log.info("Creating tag %r", name)
            try:
                return int(self.client.tags.create(name=name)["id"])
            except EmnifyConflictError:
                known = self._known([name])  # another run was quicker
                if name not in known:
                    raise
                return known[name]

        tag_id, _ = create_once(
            attempt,
            lock=None,
            look=lambda: [*self.client.tags.list(name=name)],
            decide=decide,
            create=create,
        )
        return tag_id


class EmnifyRemoveTagsOperator(_TagOperator):
    """Take tags from endpoints (devices), 2,000 endpoints a request. A tag that one does not have is done.

    The tags themselves stay. A name that is no tag's is nothing that an endpoint could have.

    .. code-block:: python

        EmnifyRemoveTagsOperator(task_id="untag", endpoint_ids=[7, 8], tags="berlin")

    :param endpoint_ids: One id or many (templated).
    :param tags: Names of tags (templated): ``"pump"``, ``"pump,berlin"`` or ``["pump", "berlin"]``.
    :param tag_ids: Ids of tags, instead or in addition (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints; none of them has these tags now.
    :raises ValueError: when the DAG is parsed, if no tag is given.
    :raises AirflowFailException: when an endpoint does not exist, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/tag-management/unassign-tags-from-endpoints-in-bulk
    """

    def execute(self, context: Context) -> list[int]:
        """Look for tags and endpoints, and take away what is there."""
        del context
        ids, names = parse_endpoint_ids(self.endpoint_ids), tag_names(self.tags)
        unwanted = set(parse_ids(self.tag_ids, "tag_ids"))
        if not ids:
            self.log.info("No endpoints given: nothing to do")
            return []
        unwanted |= set(self._known(names).values())

        def rows_of(has: Mapping[int, set[int]]) -> list[Row]:
            rows = [{"endpoint_id": key, "tag_ids": sorted(unwanted & has[key])} for key in ids]
            rows = [row for row in rows if row["tag_ids"]]
            self.log.info(
                "Removing tags %s from %d endpoints (%s), %d do not have them",
                shorten(sorted(unwanted)) or "none",
                len(rows),
                shorten([row["endpoint_id"] for row in rows]) or "none",
                len(ids) - len(rows),
            )
            return rows

        self._send(self.client.tags.unassign_many, ids, unwanted, rows_of, self._read(ids))
        return ids


def tag_names(value: Any) -> list[str]:
    """Return the names of tags that a task's argument means, without repeats, in their order.

    :param value: A name, several separated by commas, a list of them, or the text of such a list.
    :raises ValueError: showing the value, for anything else.
    """
    if value is None or (isinstance(value, str) and value.strip() in {"", "None"}):
        return []
    names = value
    if isinstance(value, str):
        names = _literal(value) if value.strip().startswith(("[", "(")) else value.split(",")
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise ValueError(f"tags: {value!r} is not a valid list of names")  # noqa: TRY004 - as all bad arguments
    for name in names:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise ValueError(f"tags: {name!r} in {value!r} is not a valid name of a tag")
    return list(dict.fromkeys(name.strip() for name in names))


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        raise ValueError(f"tags: {value!r} is not a valid list of names") from None
