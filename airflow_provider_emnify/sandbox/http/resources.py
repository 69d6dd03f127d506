"""Plain resources: rows that are listed, created, given, changed and deleted, all in the same way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, present
from airflow_provider_emnify.sandbox.http.fields import Field
from airflow_provider_emnify.sandbox.http.query import Listing
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.records.table import Table
from airflow_provider_emnify.sandbox.world.state import State

T = TypeVar("T")
Row = dict[str, Any]
Render = Callable[[Row], Row]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of rows, and what is its own in the routes that serve it.

    :param path: Path of the list; a row is one segment below it.
    :param parameter: Name of that segment.
    :param name: Name of the resource, for messages.
    :param rows: From a call to the table of the rows.
    :param fields: Fields of a body; what is required is so for a creation. Others are let through, not kept.
    :param answers: Status of each route that there is beside the list: ``create``, ``give``, ``change``,
        ``delete``.
    :param shown: The routes whose answer has the row, of ``create`` and ``change``.
    :param references: Where the things must be that fields refer to.
    :param make: From a call and its checked body to a new row without its id.
    :param check: Called with a call, its checked body and the row that is changed, to raise an error.
    :param in_use: Tells whether a row must stay.
    :param brief: From a call to what makes JSON of a row in the list.
    :param full: The same for a row alone; as in the list by default.
    :param numbered: Ids are numbers, not texts.
    :param invalid: Status for a body that is not as it should be.
    """

    path: str
    parameter: str
    name: str
    rows: Callable[[Call], dict[Any, Row]]
    fields: Mapping[str, Field] = field(default_factory=dict)
    answers: Mapping[str, int]
    shown: tuple[str, ...] = ()
    references: Mapping[str, Callable[[State], Container[int]]] = field(default_factory=dict)
    make: Callable[[Call, Row], Row] = lambda call, body: body
    check: Callable[[Call, Row, Row | None], object] = lambda call, body, row: None
    in_use: Callable[[State, Row], bool] = lambda state, row: False
    brief: Callable[[Call], Render] = lambda call: present
    full: Callable[[Call], Render] | None = None
    numbered: bool = True
    invalid: int = 422

    def serve(self) -> None:
        """Register the routes."""
        one = f"{self.path}/{{{self.parameter}}}"
        serves("GET", self.path)(self.give_all)
        for verb, method, path in (
            ("create", "POST", self.path),
            ("give", "GET", one),
            ("change", "PATCH", one),
            ("delete", "DELETE", one),
        ):
            if verb in self.answers:
                serves(method, path)(getattr(self, verb))

    def one(self, call: Call) -> Row:
        """Return the row that the path means, or answer 404."""
        if self.numbered:
            return call.one(self.rows(call), self.parameter, self.name)
        return call.named(self.rows(call), self.parameter, self.name)

    def give_all(self, call: Call) -> Body:
        """List the rows, not in pages."""
        return list(map(self.brief(call), self.rows(call).values()))

    def give(self, call: Call) -> Body:
        """Give a row."""
        return self._shown(call, self.one(call))

    def create(self, call: Call) -> Answer:
        """Add a row; where it is not in the answer, only the header says its id."""
        rows, made, status = self.rows(call), self.make(call, self._checked(call)), self.answers["create"]
        number = call.state.next_id(self.name) if self.numbered else call.state.new_uuid()
        row = rows[number] = {"id": number, **made}
        if "create" in self.shown:
            return Answer(status, self._shown(call, row))
        return Answer(status, headers={"Location": f"{self.path.format_map(call.path)}/{number}"})

    def change(self, call: Call) -> Answer:
        """Change a row by the fields that the body has."""
        row = self.one(call)
        row.update(self._checked(call, row))
        call.state.endpoints.forget()  # they are found by the names of their profiles
        return Answer(self.answers["change"], self._shown(call, row) if "change" in self.shown else {})

    def delete(self, call: Call) -> Answer:
        """Delete a row that is not in use."""
        row = self.one(call)
        if self.in_use(call.state, row):
            raise ApiError("NotAllowed", f"{self.name} {row['id']} is in use.", status=409)
        del self.rows(call)[row["id"]]
        return Answer(self.answers["delete"], {})

    def _shown(self, call: Call, row: Row) -> Row:
        return (self.full or self.brief)(call)(row)

    def _checked(self, call: Call, row: Row | None = None) -> Row:
        given = call.checked(self.fields, self.name, partial=row is not None, status=self.invalid)
        body = {name: value for name, value in given.items() if name in self.fields}
        for name, there in self.references.items():
            if name in body:
                number, known = (body[name] or {}).get("id"), there(call.state)
                body[name] = None if number is None else {"id": call.state.existing(known, number, name)}
        self.check(call, body, row)
        return body


def in_endpoints(field: str) -> Callable[[State, Row], bool]:
    """Tell of a row whether any endpoint names it in a field."""
    return lambda state, row: any(getattr(one, field) == row["id"] for one in state.endpoints.values())


def serve_records(
    path: str,
    parameter: str,
    listing: Listing[T],
    rows: Callable[[Call], Collection[T] | Table[Any]],
    one: Callable[[Call], T],
    full: Callable[[State, T], Row] | None = None,
) -> None:
    """Serve the list of records, in pages and by ascending id unless asked otherwise, and each record alone.

    :param parameter: Name of the segment of the path that says which record.
    :param rows: From a call to the records.
    :param one: From a call to the record that its path means.
    :param full: What makes JSON of a record alone; as in the list by default.
    """
    render = full or listing.render
    serves("GET", path)(lambda call: listing.answer(call, rows(call)))
    serves("GET", f"{path}/{{{parameter}}}")(lambda call: render(call.state, one(call)))


def serve_members(
    path: str,
    parameter: str,
    name: str,
    known: Callable[[Call], Container[int]],
    held: Callable[[Call], list[int]],
    check_add: Callable[[Call, list[int], int], object] = lambda call, members, number: None,
    check_remove: Callable[[Call, list[int], int], object] = lambda call, members, number: None,
    answer: Row | None = None,
) -> None:
    """Serve PUT, which adds something to a list, and DELETE, which takes it out.

    :param known: From a call to the ids of what there is to add.
    :param held: From a call to the list.
    :param check_add: Called before something is added, to raise an error.
    :param check_remove: Called before something that is there is taken out, to raise an error.
    :param answer: What is answered; nothing by default.
    """

    def add(call: Call) -> Body:
        members, number = held(call), call.known(known(call), parameter, name)
        check_add(call, members, number)
        if number in members:
            raise ApiError("Duplicated", f"{name} {number} is assigned already.")
        members.append(number)
        return answer

    def remove(call: Call) -> Body:
        members = held(call)
        number = call.known(members, parameter, name)
        check_remove(call, members, number)
        members.remove(number)
        return answer

    serves("PUT", f"{path}/{{{parameter}}}")(add)
    serves("DELETE", f"{path}/{{{parameter}}}")(remove)
