"""Arguments are declared once: checked when the DAG is parsed, stored as given, parsed for execute."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_emnify.airflow_names import DAG, AirflowException, AirflowFailException
from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.values import parse_bool, parse_ids
from airflow_provider_emnify.arguments import Argument, optional, parse_choice, parse_text, status_in
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator


class Tidy(EmnifyBaseOperator):
    """An operator with one argument of each kind."""

    template_fields = ("emnify_conn_id", "ids", "mode", "note")

    ids = Argument(parse_ids)
    mode = Argument(parse_choice("fast", "slow"))
    note = Argument(optional(parse_text))
    dry_run_only = Argument(parse_bool)

    def __init__(
        self,
        *,
        ids: Any,
        mode: str = "fast",
        note: str | None = None,
        dry_run_only: Any = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ids = ids
        self.mode = mode
        self.note = note
        self.dry_run_only = dry_run_only

    def execute(self, context: Any) -> Any:
        del context
        return self.ids, self.mode, self.note, self.dry_run_only


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"ids": "seven"}, "ids: 'seven' is not a valid id"),
        ({"ids": [1, [2, True]]}, "ids: True"),
        ({"ids": 7, "mode": "quick"}, "mode: 'quick' is not valid; allowed: fast, slow"),
        ({"ids": 7, "note": 5}, "note: 5"),
        ({"ids": 7, "dry_run_only": "perhaps"}, "dry_run_only: 'perhaps'"),
    ],
)
def test_what_is_known_is_refused_when_the_dag_is_parsed(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        Tidy(task_id="t", **bad)


def test_a_template_is_left_alone_until_it_is_rendered() -> None:
    task = Tidy(task_id="t", ids="{{ params.ids }}", mode="{{ params.mode }}")
    assert (task.ids, task.mode) == ("{{ params.ids }}", "{{ params.mode }}")
    task.render_template_fields({"params": {"ids": [7, 8], "mode": "slow"}})  # type: ignore[arg-type]
    assert task.execute({}) == ([7, 8], "slow", None, True)


def test_airflow_stores_what_was_given_and_execute_finds_it_parsed() -> None:
    task = Tidy(task_id="t", ids="7, 8", note=" moved ", dry_run_only="false")
    assert (task.ids, task.note) == ("7, 8", " moved ")
    assert task.execute({}) == ([7, 8], "fast", "moved", False)
    assert task.execute({}) == ([7, 8], "fast", "moved", False), "a second try in the same process"


@pytest.mark.parametrize(
    ("rendered", "says"), [({"ids": "seven"}, "ids: 'seven'"), ({"ids": 7, "mode": ""}, "mode: ''")]
)
def test_what_renders_to_nonsense_fails_without_retries(rendered: dict[str, Any], says: str) -> None:
    task = Tidy(task_id="t", ids="{{ params.ids }}", mode="{{ params.get('mode', 'fast') }}")
    task.render_template_fields({"params": rendered})  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match=says):
        task.execute({})


def test_a_copy_has_its_own_values() -> None:
    task = Tidy(task_id="t", ids="{{ params.ids }}")
    other = copy.copy(task)
    other.render_template_fields({"params": {"ids": [7]}})  # type: ignore[arg-type]
    assert other.execute({})[0] == [7]
    assert task.ids == "{{ params.ids }}"
    assert copy.deepcopy(task).ids == "{{ params.ids }}"


def test_a_subclass_inherits_and_replaces_arguments() -> None:
    class Narrow(Tidy):
        """Takes one mode."""

        mode = Argument(parse_choice("slow"))

    assert Narrow(task_id="t", ids=7, mode="slow").execute({})[0] == [7]
    with pytest.raises(ValueError, match="mode: 'fast'"):
        Narrow(task_id="t", ids=7)


class Named(EmnifyBaseOperator):
    """An operator with an argument whose name Airflow uses for something else."""

    is_dry_run = Argument(parse_bool, "dry_run", templated=False)
    status = Argument(status_in(EndpointStatus.ENABLED, EndpointStatus.DISABLED), templated=False)

    def __init__(self, *, dry_run: Any = True, status: Any = "enabled", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_dry_run = dry_run
        self.status = status

    def execute(self, context: Any) -> Any:
        del context
        return self.is_dry_run, self.status


def test_messages_name_the_argument_and_not_the_attribute() -> None:
    with pytest.raises(ValueError, match=r"^dry_run: 'perhaps'"):
        Named(task_id="t", dry_run="perhaps")
    assert Named(task_id="t", dry_run="no").execute({}) == (False, EndpointStatus.ENABLED)


@pytest.mark.parametrize("status", ["Disabled", 1, "1", EndpointStatus.DISABLED])
def test_a_status_is_the_enum_its_name_or_its_number(status: Any) -> None:
    task = Named(task_id="t", status=status)
    assert task.status == status
    assert task.execute({})[1] is EndpointStatus.DISABLED
    assert task.execute({})[1] is EndpointStatus.DISABLED


@pytest.mark.parametrize("status", ["deleted", 2, "enabeld", None, True, 1.0, "{{ params.status }}"])
def test_a_status_that_cannot_be_given_is_refused_with_those_that_can(status: Any) -> None:
    says = f"status: {status!r} is not a valid endpoint status; allowed: enabled, disabled"
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        Named(task_id="t", status=status)


def test_a_template_where_none_is_rendered_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match=r"dry_run_only: '{{ params.x }}'"):
        Tidy(task_id="t", ids=7, dry_run_only="{{ params.x }}")


def test_what_is_declared_is_templated_unless_it_says_otherwise_or_the_class_lists_other_fields() -> None:
    assert Named.template_fields == ("emnify_conn_id",)
    assert {"emnify_conn_id", "text"} <= {*EmnifySendSmsOperator.template_fields}
    assert not {"timeout", "max_selected"} & {*EmnifySendSmsOperator.template_fields}

    class Deeper(Tidy):
        """Inherits what its base lists, beside an argument that is not in it."""

        depth = Argument(parse_text, default="1")

    class Sms(EmnifySendSmsOperator):
        """Inherits what its base declares, and adds to it."""

        priority = Argument(parse_text, default="1")

    assert Deeper.template_fields == Tidy.template_fields
    assert {*Sms.template_fields} == {*EmnifySendSmsOperator.template_fields, "priority"}


@pytest.mark.parametrize("ids", [b"7", Decimal("7.5"), datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)])
def test_values_of_a_wrong_type_are_refused_when_the_dag_is_parsed(ids: Any) -> None:
    with pytest.raises(ValueError, match=r"^ids: .* is not a valid id; give"):
        Tidy(task_id="t", ids=ids)


class Bare(EmnifyWaitingOperator):
    """An operator whose ``__init__`` is made of what it declares."""

    template_fields = ("emnify_conn_id", "ids")

    ids = Argument(parse_ids)
    mode = Argument(parse_choice("fast", "slow"), default="fast")

    def execute(self, context: Any) -> Any:
        del context
        return self.ids, self.mode, self.timeout, self.emnify_conn_id


GIVEN = {"mode": "slow", "timeout": 5, "emnify_conn_id": "other", "deferrable": True}


@pytest.mark.parametrize("kind", [Bare, type("Child", (Bare,), {"mode": Argument(parse_choice("slow"))})])
def test_a_class_without_an_init_takes_what_it_and_its_bases_declare(kind: type[Bare]) -> None:
    assert Bare(task_id="t", ids=7).execute({}) == ([7], "fast", 86400.0, "emnify_default")
    assert kind(task_id="t", ids=7, **GIVEN).execute({}) == ([7], "slow", 5.0, "other")
    with pytest.raises((TypeError, AirflowException), match="missing keyword argument 'ids'"):
        kind(task_id="t")
    with pytest.raises(TypeError, match=r"unknown argument 'timeot' \(did you mean 'timeout'\?\)"):
        kind(task_id="t", ids=7, timeot=5)
    with pytest.raises(ValueError, match="timeout: -1 is not"):
        kind(task_id="t", ids=7, timeout=-1)


@pytest.mark.parametrize("kind", [Bare, EmnifySendSmsOperator])
def test_default_args_are_for_each_argument_also_of_bases(kind: Any) -> None:
    needed = {"ids": 7} if kind is Bare else {"text": "reboot", "endpoint_ids": 7}
    given = GIVEN if kind is Bare else {**GIVEN, "source_address": "pump"}
    with DAG(
        "d", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), default_args={**given, **needed}
    ):
        task = kind(task_id="t")
        assert (task.timeout, task.emnify_conn_id, task.deferrable) == (5, "other", True)
        assert kind(task_id="u", timeout=6, emnify_conn_id="mine").timeout == 6
        assert kind is Bare or task.source_address == "pump"


@pytest.mark.parametrize("kind", [Bare, EmnifySendSmsOperator])
def test_a_mapped_task_takes_each_argument_also_of_bases(kind: Any) -> None:
    several, needed = ("ids", {}) if kind is Bare else ("endpoint_ids", {"text": "reboot"})
    with DAG("d", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
        known = {name: item for name, item in GIVEN.items() if kind is Bare or name != "mode"}
        mapped = kind.partial(task_id="t", **known, **needed).expand(**{several: [7, 8]})
        task = mapped.operator_class(**{**mapped.partial_kwargs, "task_id": "one", several: 7})
        assert (task.timeout, getattr(task, several)) == (5, 7)
        with pytest.raises(TypeError, match="unexpected keyword argument 'timeot'"):
            kind.partial(task_id="u", timeot=5).expand(**{several: [7]})


def test_a_result_of_another_task_makes_it_run_first() -> None:
    with DAG("d", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
        first = Bare(task_id="first", ids=7)
        assert Bare(task_id="then", ids=first.output).upstream_task_ids == {"first"}
