"""Tags of endpoints as tasks: give and take them, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyServerError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.resources.endpoint_tags import TAGS_OF, assigned_tags, tag_ids_of
from airflow_provider_emnify.api.resources.few import listing_if_cheaper
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import is_nothing, parse_bool, parse_ids, parse_literal
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, is_known, shorten
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

Names = str | Iterable[str] | XComArg

_CHANGED_MEANWHILE = (EmnifyConflictError, EmnifyNotFoundError, EmnifyValidationError)


def parse_tags(value: Any, field: str) -> list[str]:
    """Return the names of tags that a task's argument means, without repeats, in their order.

    :param value: A name, several separated by commas, a list of them, or the text of such a list.
    :raises ValueError: naming the field and the value, for anything else.
    """
    if is_nothing(value):
        return []
    names = value
    if isinstance(value, str):
        names = parse_literal(value) if value.strip().startswith(("[", "(")) else value.split(",")
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise ValueError(f"{field}: {value!r} is not a list of names; give 'a,b' or ['a', 'b']")  # noqa: TRY004 - as all bad arguments
    for name in names:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise ValueError(f"{field}: {name!r} in {value!r} is not a valid name; give 'a,b' or ['a', 'b']")
    return list(dict.fromkeys(name.strip() for name in names))


class _TagOperator(EndpointsOperator):
    """Base of the two that give and take tags."""

    idempotent: ClassVar[bool] = True

    tags = Argument(parse_tags)
    tag_ids = Argument(parse_ids)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        tags: Names | None = None,
        tag_ids: Ids | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def check_arguments(self) -> None:
        """Check that there is a tag."""
        super().check_arguments()
        tags, ids = self.tags, self.tag_ids
        if is_known(tags) and is_known(ids) and not parse_tags(tags, "tags") and not parse_ids(ids):
            raise ValueError("tags, tag_ids: give at least one tag")

    def execute(self, context: Context) -> list[int]:
        """Look for tags and endpoints, and change what is to be changed."""
        if self.endpoint_ids:
            self._change(context)
        return self.endpoint_ids

    def _change(self, context: Context) -> None:
        raise NotImplementedError

    def _list(self, names: Sequence[str]) -> Rows:
        """Return those tags that exist, in the lesser number of requests."""
        tags = self.client.tags
        listing = listing_if_cheaper(names, tags.list)
        lists = [tags.list(name=name) for name in names] if listing is None else [listing]
        return [row for rows in lists for row in rows if _name_of(row) in names]

    def _assigned(self) -> dict[int, set[int]]:
        """Return the tags of the endpoints, of what was read already where that has them."""
        rows = self.looked_at or {}
        if rows and all(TAGS_OF in row for row in rows.values()):
            return {key: tag_ids_of(row) for key, row in rows.items()}
        return self._read(self.endpoint_ids)

    def _read(self, ids: Sequence[int]) -> dict[int, set[int]]:
        has = assigned_tags(self.client.endpoints, ids)
        missing = [key for key in ids if key not in has]
        if missing:
            raise ValueError(f"endpoint_ids: there is no endpoint {shorten(missing)}; nothing was changed")
        return has

    def _send(
        self,
        send: Callable[[Rows], Rows],
        doing: str,
        change: Callable[[set[int]], set[int]],
        has: Mapping[int, set[int]],
    ) -> None:
        """Send what is to be changed; once more, when someone else has changed some of it in between.

        :param doing: What is done, for the log.
        :param change: Returns which tags are sent for an endpoint, of the tags that it has.
        :param has: The tags that each endpoint has.
        """

        def rows_of(has: Mapping[int, set[int]]) -> Rows:
            rows: Rows = [
                {"endpoint_id": key, "tag_ids": sorted(tags)} for key in has if (tags := change(has[key]))
            ]
            self.log_change(doing, [row["endpoint_id"] for row in rows], len(has), "need no change")
            return rows

        try:
            send(rows_of(has))
        except EmnifyPartialError as error:
            if not isinstance(error.__cause__, _CHANGED_MEANWHILE):
                raise
            send(rows_of(self._read(self.endpoint_ids)))


class EmnifyAddTagsOperator(_TagOperator):
    """Give endpoints (devices) tags, 2,000 endpoints a request. A tag that one has already is done.

    Tags are known by their exact name. A name that is not there yet fails the task before anything is
    changed, or is created if asked: once, also when an answer is lost or another run creates it meanwhile.

    .. code-block:: python

        EmnifyAddTagsOperator(task_id="tag", endpoint_ids=[7, 8], tags="pump,berlin", create_missing=True)

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param tags: Names of tags (templated): ``"pump"``, ``"pump,berlin"`` or ``["pump", "berlin"]``.
    :param tag_ids: Ids of tags, instead or in addition (templated).
    :param create_missing: Whether to create tags whose name is not there yet (default False).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints.
    :raises ValueError: when the DAG is parsed, if no tag is given.
    :raises AirflowFailException: when a tag or an endpoint does not exist, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/tag-management/assign-tag-to-endpoints-in-bulk
    """

    create_missing = Argument(parse_bool, templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        tags: Names | None = None,
        tag_ids: Ids | None = None,
        create_missing: bool = False,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def _change(self, context: Context) -> None:
        ids, names = self.endpoint_ids, self.tags
        has: dict[int, set[int]] = {}

        def decide(rows: Rows, _: Any) -> dict[str, int] | None:
            known = _ids_by_name(rows)
            return known if len(known) == len(names) else None

        def create(rows: Rows) -> dict[str, int]:
            known = _ids_by_name(rows)
            new = [name for name in names if name not in known]
            if not self.create_missing:
                raise ValueError(
                    f"tags: there is no tag {shorten(list(map(repr, new)))}; nothing was changed. Set "
                    "create_missing=True to create it"
                )
            has.update(self._assigned())  # a missing endpoint fails before a tag is created
            return known | {name: self._create(name) for name in new}

        known, _ = create_once(
            Attempt(self, context),
            lock=None,
            look=lambda: self._list(names),
            decide=decide,
            create=create,
            always_look=True,
        )
        wanted = {*self.tag_ids, *known.values()}
        if not has:
            # emnify says of one endpoint that it has a tag with fewer requests than a look at its tags costs.
            has = self._assigned() if len(ids) > 1 else {ids[0]: set()}
        doing = f"Assigning tags {shorten(sorted(wanted))} to endpoints"
        self._send(self.client.tags.assign_many, doing, lambda tags: wanted - tags, has)

    def _create(self, name: str) -> int:
        self.log.info("Creating tag %r", name)
        try:
            return int(self.client.tags.create(name=name)["id"])
        except EmnifyConflictError:
            known = _ids_by_name(self._list([name]))  # another run was quicker, or an answer was lost
            if name not in known:
                raise
            return known[name]


class EmnifyRemoveTagsOperator(_TagOperator):
    """Take tags from endpoints (devices), 2,000 endpoints a request. A tag that one does not have is done.

    The tags themselves stay. A name that no tag has is one that no endpoint can have: it is done.

    .. code-block:: python

        EmnifyRemoveTagsOperator(task_id="untag", endpoint_ids=[7, 8], tags="berlin")

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param tags: Names of tags (templated): ``"pump"``, ``"pump,berlin"`` or ``["pump", "berlin"]``.
    :param tag_ids: Ids of tags, instead or in addition (templated).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the endpoints; none of them has these tags now.
    :raises ValueError: when the DAG is parsed, if no tag is given.
    :raises AirflowFailException: when an endpoint does not exist, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/tag-management/unassign-tags-from-endpoints-in-bulk
    """

    def _change(self, context: Context) -> None:
        unwanted = {*self.tag_ids, *_ids_by_name(self._list(self.tags)).values()}
        # emnify does not name an endpoint that is missing here, so that each is looked at first.
        has = self._assigned()
        doing = f"Removing tags {shorten(sorted(unwanted))} from endpoints"
        self._send(self.client.tags.unassign_many, doing, lambda tags: unwanted & tags, has)


def _name_of(tag: Row) -> str:
    """Return the name of a tag, by which it is known here.

    :raises EmnifyServerError: when it has none: it could be any of those that are looked for.
    """
    name = tag.get("name")
    if isinstance(name, str):
        return name
    raise EmnifyServerError(
        f"the name of tag {tag.get('id')} is unusable: {name!r}", method="GET", path="/api/v2/tags"
    )


def _ids_by_name(tags: Rows) -> dict[str, int]:
    return {row["name"]: int(row["id"]) for row in tags}
