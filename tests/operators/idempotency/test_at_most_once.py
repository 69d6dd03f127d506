"""A call that nobody can tell from one like it is made once, in whatever way its task ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException
from airflow_provider_emnify.api import (
    EmnifyClient,
    EmnifyConnectionError,
    EmnifyPartialError,
    EmnifyRateLimitError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.resources.graphql import is_mutation
from airflow_provider_emnify.api.transport.transport import Transport
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.graphql import EmnifyGraphqlOperator
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, at_most_once
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import at_once, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.airflow_names import BaseOperator
    from airflow_provider_emnify.sandbox import Sandbox

SMS = "/api/v1/endpoint/{endpoint_id}/sms"
RETRIES = 2


pytestmark = pytest.mark.fleet(1, retries=False)


@pytest.fixture(params=["before Airflow 3.3", "with Airflow's store"])
def store(request: pytest.FixtureRequest) -> Store | None:
    return Store() if request.param == "with Airflow's store" else None


def attempt(number: int, store: Store | None, *, cleared_after: int = 0) -> Any:
    """Return the context of a try; someone may have cleared the task after an earlier one."""
    instance = SimpleNamespace(try_number=number, max_tries=cleared_after + RETRIES)
    return {"ti": instance} if store is None else {"ti": instance, "task_state_store": store}


def sms(fleet: Sandbox, **arguments: Any) -> EmnifyOperator:
    told = {"endpoint_id": min(fleet.state.endpoints), "payload": "on"}
    return EmnifyOperator(task_id="t", call="sms.send", arguments=told, retries=RETRIES, **arguments)


def refused(caught: pytest.ExceptionInfo[AirflowFailException]) -> bool:
    return isinstance(caught.value.__cause__, EmnifyUnknownOutcomeError)


def test_a_worker_that_died_after_the_answer_is_not_followed_by_a_second_call(
    fleet: Sandbox, store: Store | None
) -> None:
    sms(fleet).execute(attempt(1, store))
    with pytest.raises(AirflowFailException) as caught:
        sms(fleet).execute(attempt(2, store))
    assert refused(caught)
    assert len(fleet.state.sms) == 1
    assert f"sms.send(endpoint_id={min(fleet.state.endpoints)}, payload='on')" in str(caught.value)
    assert "Check at emnify whether it was done (with sms.list)" in str(caught.value)


def test_a_worker_that_died_in_the_middle_is_not_followed_by_a_second_call(
    fleet: Sandbox, store: Store | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Transport.create

    def die(*args: Any, **kwargs: Any) -> None:
        plain(*args, **kwargs)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "create", die)
        with pytest.raises(SystemExit):
            sms(fleet).execute(attempt(1, store))
    for number in (2, 3):
        with pytest.raises(AirflowFailException) as caught:
            sms(fleet).execute(attempt(number, store))
        assert refused(caught)
    assert len(fleet.state.sms) == 1


def test_who_clears_the_task_has_the_call_made_again(fleet: Sandbox, store: Store | None) -> None:
    sms(fleet).execute(attempt(1, store))
    sms(fleet).execute(attempt(2, store, cleared_after=1))
    assert len(fleet.state.sms) == 2
    with pytest.raises(AirflowFailException) as caught:  # Airflow's own retry of that
        sms(fleet).execute(attempt(3, store, cleared_after=1))
    assert refused(caught)
    sms(fleet).execute(attempt(4, store, cleared_after=3))
    assert len(fleet.state.sms) == 3


@pytest.mark.parametrize("status", [429, 400])
def test_what_is_known_to_have_done_nothing_is_no_call(fleet: Sandbox, status: int) -> None:
    """On Airflow 3.3 a retry makes it, where a retry makes sense."""
    store = Store()
    fleet.faults.add(method="POST", path=SMS, status=status)
    with pytest.raises(EmnifyRateLimitError if status == 429 else AirflowFailException):
        sms(fleet).execute(attempt(1, store))
    if status == 429:
        sms(fleet).execute(attempt(2, store))
        assert len(fleet.state.sms) == 1
        with pytest.raises(AirflowFailException) as caught:
            sms(fleet).execute(attempt(3, store))
        assert refused(caught)


def test_before_3_3_a_call_that_could_not_be_made_fails_at_once_and_says_so(fleet: Sandbox) -> None:
    fleet.faults.add(method="POST", path=SMS, status=429)
    with pytest.raises(AirflowFailException, match=r"429.*It was not done.*clear this task to try again"):
        sms(fleet).execute(attempt(1, None))


def test_a_lost_answer_is_final(fleet: Sandbox, store: Store | None) -> None:
    fleet.faults.add(method="POST", path=SMS, drop="before")
    with pytest.raises(AirflowFailException) as caught:
        sms(fleet).execute(attempt(1, store))
    assert refused(caught)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("endpoints.list", {}),
        ("endpoints.update", {"endpoint_id": 1_000_001, "name": "pump"}),
        ("euiccs.validate_unlinked", {"eids": []}),
    ],
)
def test_what_may_be_repeated_is_repeated(
    fleet: Sandbox, store: Store | None, call: str, arguments: dict[str, Any]
) -> None:
    for number in (1, 2):
        operator = EmnifyOperator(task_id="t", call=call, arguments=arguments, retries=RETRIES)
        operator.execute(attempt(number, store))


def test_it_can_be_switched_off_and_on(fleet: Sandbox, store: Store | None) -> None:
    for number in (1, 2):
        sms(fleet, idempotent=True).execute(attempt(number, store))
    assert len(fleet.state.sms) == 2
    arguments = {"endpoint_id": 1_000_001, "name": "pump"}
    rename = EmnifyOperator(
        task_id="t", call="endpoints.update", arguments=arguments, idempotent=False, retries=RETRIES
    )
    rename.execute(attempt(1, store))
    with pytest.raises(AirflowFailException) as caught:
        rename.execute(attempt(2, store))
    assert refused(caught)
    with pytest.raises(ValueError, match="idempotent: 'maybe'"):
        sms(fleet, idempotent="maybe")


class TestGraphql:
    @pytest.fixture(autouse=True)
    def _answers(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path="/graphql", status=200, body={"data": {}}, times=None)

    def test_a_mutation_is_sent_once(self, fleet: Sandbox, store: Store | None) -> None:
        operator = EmnifyGraphqlOperator(
            task_id="t",
            query="mutation Rename($id: Int) { rename(id: $id) }",
            variables={"id": 7},
            retries=RETRIES,
        )
        operator.execute(attempt(1, store))
        with pytest.raises(AirflowFailException, match=r"GraphQL mutation Rename with {'id': 7}") as caught:
            operator.execute(attempt(2, store))
        assert refused(caught)
        assert fleet.counts["POST /graphql"] == 1
        operator.execute(attempt(2, store, cleared_after=1))
        assert fleet.counts["POST /graphql"] == 2

    @pytest.mark.parametrize(
        ("query", "idempotent"), [("{ myUser { id } }", None), ("mutation { rename(id: 7) }", True)]
    )
    def test_a_query_is_sent_by_each_try(
        self, fleet: Sandbox, store: Store | None, query: str, idempotent: bool | None
    ) -> None:
        operator = EmnifyGraphqlOperator(task_id="t", query=query, idempotent=idempotent, retries=RETRIES)
        for number in (1, 2):
            operator.execute(attempt(number, store))
        assert fleet.counts["POST /graphql"] == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("mutation { a }", True),
        ("fragment F on X { id } mutation M { a { ...F } }", True),
        ("# first\nmutation M { a }", True),
        ("query Q { mutations { id } }", False),
        ("{ a }", False),
    ],
)
def test_a_mutation_is_known_wherever_it_stands(query: str, expected: bool) -> None:
    assert is_mutation(query) is expected


class TestTwoRunsAtOnce:
    """The first is in the middle of its call when the second begins; both are of this host."""

    @pytest.fixture
    def in_the_middle(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
        def run(write: str, first: BaseOperator, second: BaseOperator) -> list[Any]:
            runs = [lambda: first.execute(attempt(1, Store())), lambda: second.execute(attempt(1, Store()))]
            return in_turn(monkeypatch, Transport if write == "create" else EmnifyClient, write, *runs)

        return run

    def test_the_same_call_is_made_once_and_the_second_says_what_to_check(
        self, fleet: Sandbox, in_the_middle: Callable[..., list[Any]]
    ) -> None:
        made, error = in_the_middle("create", sms(fleet), sms(fleet))
        assert made["id"] in {row.id for row in fleet.state.sms.values()}
        assert len(fleet.state.sms) == 1
        assert isinstance(error, AirflowFailException)
        assert isinstance(error.__cause__, EmnifyUnknownOutcomeError)
        assert "another task has made the same call at this moment: sms.send(endpoint_id=" in str(error)
        assert "This one has not. Check at emnify whether it was done (with sms.list)" in str(error)

    def test_other_arguments_are_another_call(
        self, fleet: Sandbox, in_the_middle: Callable[..., list[Any]]
    ) -> None:
        other = EmnifyOperator(
            task_id="t", call="sms.send", arguments={**sms(fleet).arguments, "payload": "off"}
        )
        both = in_the_middle("create", sms(fleet), other)
        assert {row["id"] for row in both} == {row.id for row in fleet.state.sms.values()}
        assert len(fleet.state.sms) == 2

    def test_what_may_be_repeated_is_repeated(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        runs = [lambda: sms(fleet, idempotent=True).execute(attempt(1, Store()))] * 2
        rows = at_once(monkeypatch, Transport, "create", *runs)
        assert {row["id"] for row in rows} == {row.id for row in fleet.state.sms.values()}
        assert len(fleet.state.sms) == 2

    def test_the_same_mutation_is_sent_once(
        self, fleet: Sandbox, in_the_middle: Callable[..., list[Any]]
    ) -> None:
        fleet.faults.add(method="POST", path="/graphql", status=200, body={"data": {}}, times=None)
        queries = ["mutation M { a }", "mutation M { a }", "mutation M { b }"]
        first, second, other = (EmnifyGraphqlOperator(task_id="t", query=query) for query in queries)
        made, error = in_the_middle("graphql", first, second)
        assert made == {}
        assert isinstance(error.__cause__, EmnifyUnknownOutcomeError)
        assert "GraphQL mutation M with {}: mutation M { a }" in str(error)
        assert fleet.counts["POST /graphql"] == 1
        assert other.execute(attempt(1, Store())) == {}

    def test_one_after_the_other_both_make_it(self, fleet: Sandbox) -> None:
        for _ in range(2):
            sms(fleet).execute(attempt(1, Store()))
        assert len(fleet.state.sms) == 2


@pytest.mark.usefixtures("fleet")
class TestErrors:
    def run(
        self, store: Store | None, error: Exception, *, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        operator = EmnifyOperator(task_id="t", call="organisations.my", retries=RETRIES)

        def fail() -> None:
            meanwhile()
            raise error

        at_most_once(Attempt(operator, attempt(1, store)), fail, what="call", check="look")

    def again(self, store: Store | None) -> bool:
        operator = EmnifyOperator(task_id="t", call="organisations.my", retries=RETRIES)
        try:
            return at_most_once(
                Attempt(operator, attempt(2, store)),
                lambda: True,
                what="call",
                check="look",
            )
        except AirflowFailException:
            return False

    @pytest.mark.parametrize("done", [[], [1]])
    def test_what_is_done_in_part_is_not_done_again(self, done: list[int]) -> None:
        store, error = Store(), EmnifyPartialError("too many", done=done, not_done=[2])
        error.transient = True
        with pytest.raises(EmnifyPartialError) as caught:
            self.run(store, error)
        assert caught.value.transient is not bool(done)
        assert self.again(store) is not bool(done)

    @pytest.mark.parametrize(
        ("error", "again"),
        [(EmnifyConnectionError("away"), True), (EmnifyValidationError("no"), False), (OSError(), False)],
    )
    def test_another_try_makes_it_only_when_nothing_was_done_and_a_retry_makes_sense(
        self, error: Exception, again: bool
    ) -> None:
        store = Store()
        with pytest.raises(type(error)):
            self.run(store, error)
        assert self.again(store) is again

    def test_a_call_of_which_no_note_can_be_kept_is_left_to_another_try(self) -> None:
        with pytest.raises(
            AirflowException, match=r"store failed.* It was not made; the next attempt"
        ) as caught:
            self.run(Store(fails=True), EmnifyConnectionError("away"))
        assert not isinstance(caught.value, AirflowFailException)
        assert self.again(Store())

    def test_when_it_cannot_be_noted_that_nothing_was_done_there_is_no_other_try(self) -> None:
        store = Store()
        with pytest.raises(AirflowFailException, match="It was not done"):
            self.run(store, EmnifyConnectionError("away"), meanwhile=lambda: setattr(store, "fails", True))
        store.fails = False
        assert not self.again(store)

    def test_a_long_call_is_cut(self) -> None:
        operator = EmnifyOperator(task_id="t", call="organisations.my", retries=RETRIES)
        again = Attempt(operator, attempt(2, None))
        with pytest.raises(AirflowFailException) as caught:
            at_most_once(again, lambda: None, what="x" * 9000, check="look")
        assert len(str(caught.value)) < 1000
