"""Whatever a server answers, a task has done its work or fails with an error that says which call it was."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.sandbox.http.answers import Answer
from tests.faults.case import PUBLIC
from tests.faults.each import CASES
from tests.faults.in_process import Cut
from tests.faults.running import run, says_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.case import Case
    from tests.faults.running import Run

ANSWERS = {
    "an empty 200": Answer(200),
    "an empty object": Answer(200, {}),
    "an empty list": Answer(200, []),
    "null": Answer(200, None),
    "a text": Answer(200, '"done"'),
    "HTML": Answer(200, "<html><body>Please log in</body></html>", {"Content-Type": "text/html"}),
    "404 with 1401": Answer(404, {"error_code": 1401, "error_token": "InvalidReference", "message": "none"}),
    "409": Answer(409, {"error_code": 1405, "error_token": "Duplicated", "message": "there already"}),
    "a 500 cut in the middle": Answer(500, Cut(b'{"error_code": 1000, "message": "internal"}')),
}
MISSING_FIELD = object()
ODD: list[Any] = [None, "x", 1.5, [], {"id": {}}, [None], True]
each = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Write no log: thousands of runs would write much."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_each_operator_and_sensor_has_an_ordinary_run() -> None:
    assert {*PUBLIC} == {case.name for case in CASES}


@each
def test_the_ordinary_run_does_what_it_says(case: Case) -> None:
    ordinary = run(case)
    assert ordinary.error is None
    assert ordinary.is_done
    if case.done is not None:
        untouched = case.sandbox()
        assert not _prepared(case, untouched), "it would be done without the run, too"


def _prepared(case: Case, sandbox: Any) -> bool:
    stopped = run(case, instead=lambda number: Answer(403, {"error_code": 1104, "message": "no"}))
    assert stopped.error is not None
    return bool(case.done is not None and case.done(stopped.sandbox))


@each
def test_a_request_answered_with_something_else(case: Case) -> None:
    calls = list(run(case).sandbox.seen)
    wrong = []
    for number, call in enumerate(calls):
        for name, answer in ANSWERS.items():
            ended = run(case, instead=only(number, answer))
            assert ended.sandbox.seen[number] == call
            complaint = ended.complaint(call)
            if complaint is not None and not _is_excused(ended, call, answer):
                wrong.append(f"{number}. {call} answered with {name}: {complaint}")
    assert not wrong, "\n".join(wrong)


def _is_excused(ended: Run, call: str, answer: Answer) -> bool:
    """Tell whether the answer says, as emnify does, that it is done or that there is nothing to do."""
    if ended.error is not None:
        return False
    nothing_there = answer.status == 404 or (call.startswith("GET ") and answer.body == [])
    return (
        says_done(call, answer)
        or (ended.case.takes_away and nothing_there)
        or (ended.case.done_by_conflict and answer.status == 409)
    )


@each
def test_a_field_that_is_missing_or_of_another_type(case: Case) -> None:
    ordinary = run(case)
    wrong = []
    for number, call in enumerate(ordinary.sandbox.seen):
        if call in ordinary.sandbox.seen[:number]:
            continue
        body = ordinary.sandbox.answers[number].body
        for at, path in enumerate(_paths(body)):
            for odd in _odd_for(path, at):
                ended = run(case, twist=_twist(number, path, odd))
                complaint = ended.complaint(call, *(key for key in path if isinstance(key, str)))
                if complaint is not None and not _is_another(ended, path, odd):
                    shown = "missing" if odd is MISSING_FIELD else repr(odd)
                    wrong.append(f"{number}. {call}, {'.'.join(map(str, path))} {shown}: {complaint}")
    assert not wrong, "\n".join(wrong)


def _is_another(ended: Run, path: tuple[Any, ...], odd: Any) -> bool:
    """Tell whether the answer is one that emnify gives of another thing, or of one that is free already."""
    if ended.error is not None or not ended.case.takes_away:
        return False
    is_free = bool({"sim", "endpoint"} & {*path}) and (odd is None or odd is MISSING_FIELD)
    return is_free or (path[-1] in {"id", "name"} and isinstance(odd, str))


def _paths(body: Any, depth: int = 3) -> Iterator[tuple[Any, ...]]:
    """Return where the fields of an answer are; of a list, those of its first object."""
    if isinstance(body, list):
        inner: Any = enumerate(body[:1])
    elif isinstance(body, dict):
        inner = body.items()
    else:
        return
    for key, value in inner:
        if not isinstance(key, int):
            yield (key,)
        if depth > 1 or isinstance(key, int):
            yield from ((key, *rest) for rest in _paths(value, depth - (not isinstance(key, int))))


def _odd_for(path: tuple[Any, ...], at: int) -> list[Any]:
    if path[-1] == "id":
        return [MISSING_FIELD, None, "x", 1.5, {"id": {}}]
    return [MISSING_FIELD, ODD[at % len(ODD)], ODD[(at + 3) % len(ODD)]]


def _twist(number: int, path: tuple[Any, ...], odd: Any) -> Callable[[int, Answer], Answer]:
    """Put something odd at a path of the answer to the n-th request."""

    def twist(at: int, answer: Answer) -> Answer:
        if at != number:
            return answer
        body = copy.deepcopy(answer.body)
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        if odd is MISSING_FIELD:
            del holder[path[-1]]
        else:
            holder[path[-1]] = odd
        return replace(answer, body=body)

    return twist


def only(number: int, answer: Answer) -> Callable[[int], Answer | None]:
    """Answer the n-th request like this, and no other."""
    return lambda at: answer if at == number else None
