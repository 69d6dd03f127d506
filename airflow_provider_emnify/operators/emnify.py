"""EmnifyOperator: any call of the emnify API as a task."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.secrets.names import hide_secrets, show
from airflow_provider_emnify.api.values import parse_bool, unknown_name
from airflow_provider_emnify.arguments import (
    Argument,
    MaskedArguments,
    as_given,
    is_known,
    optional,
    parse_count,
    refuse_secrets,
)
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, at_most_once

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.operation import Operation
    from airflow_provider_emnify.api.resources.signature import Signature

_MAX_ROWS = 10_000


def _parse_call(value: Any, field: str) -> str:
    find_method(str(value))
    return str(value)


class EmnifyOperator(EmnifyBaseOperator):
    """Make any call of the emnify API.

    The call is named as on the client: ``users.create`` stands for ``client.users.create(...)``. Name and
    argument names are checked when the DAG is parsed, so that a typo never gets as far as a worker; values
    may be templates. Calls that take or return a secret (a new application token, a password) are refused,
    and so are arguments that hold one (a pre-shared key, an activation code, a destination's credentials),
    since arguments and results of a task are stored in clear text; make them with the hook inside a task. A
    secret that an answer holds beside other things is ``***`` in the result.

    A call that creates something (a POST) is made once: not again when its answer is lost and the client's
    method does not find what was created, nor by another try of a task whose worker has died; the error says
    what to check. Airflow 3.3 and later let a task try again that is known to have done nothing; before, a
    call that could not be made fails the task. Who clears the task has it made again. Of two runs that make
    the same call with the same arguments at once, the later one fails. The operators for a single purpose
    recognise what is there, and can be repeated.

    .. code-block:: python

        EmnifyOperator(
            task_id="rename",
            call="endpoints.update",
            arguments={"endpoint_id": "{{ params.endpoint_id }}", "name": "Pump 7"},
        )

    :param call: ``<resource>.<method>``, for example ``endpoints.get``.
    :param arguments: The method's arguments by name (templated). A template renders to text; where the
        method takes a number, a yes or no, a list or a dict, the text becomes one.
    :param max_rows: The most rows that a list may have (default 10,000). Larger ones belong into a table or
        a file: use ``EmnifyToSqlOperator`` or ``EmnifyToObjectStorageOperator``.
    :param idempotent: Whether each try may make the call, whatever came of an earlier one or of another run.
        By default any may but a POST, and of those the few that change nothing.
    :param emnify_conn_id: The connection to emnify.
    :returns: What the call returns; a list, where it returns rows one by one.
    :raises ValueError: when the DAG is parsed, for a call or an argument that does not exist, for an argument
        that is missing, and for a status, a date or a text of another kind than the method takes.
    :raises AirflowFailException: for a call that an earlier try or another run may have made, and for any
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api
    """

    template_fields_renderers = {"arguments": "json"}  # noqa: RUF012 - as Airflow's own operators do
    call = Argument(_parse_call, templated=False)
    arguments = MaskedArguments(as_given)
    max_rows = Argument(parse_count, templated=False)
    is_idempotent = Argument(optional(parse_bool), "idempotent", templated=False)

    def __init__(
        self,
        *,
        call: str,
        arguments: Mapping[str, Any] | None = None,
        max_rows: int = _MAX_ROWS,
        idempotent: bool | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = {} if arguments is None else arguments
        self.init_task(locals())
        if isinstance(arguments, Mapping) or is_known(arguments):
            _check(call, arguments)

    @property
    def secret_arguments(self) -> Sequence[str]:
        """Where the call's arguments hold secrets."""
        return _operation(find_method(self.call)).secret_arguments

    def execute(self, context: Context) -> Any:
        """Make the call."""
        arguments = self.arguments
        method, typed = _check(self.call, arguments)
        operation = _operation(method)
        resource, name = self.call.split(".")
        self.log.info("Calling %s(%s)", self.call, show(arguments, self.secret_arguments))
        make = getattr(getattr(self.client, resource), name)
        may_be_repeated = operation.method != "POST" if operation.idempotent is None else operation.idempotent
        if self.is_idempotent or (self.is_idempotent is None and may_be_repeated):
            try:
                return self._small(make(**typed))
            except EmnifyNotFoundError as gone:
                if operation.method != "DELETE" or not Attempt(self, context).is_later:
                    raise
                self.log.info("%s: an earlier attempt has done it (%s)", self.call, gone.message)
                return None
        shown = ", ".join(f"{key}={value!r}" for key, value in typed.items())
        look = f"with {resource}.list" if hasattr(getattr(self.client, resource), "list") else "in its portal"
        what = f"{self.call}({shown})"
        answer = at_most_once(Attempt(self, context), lambda: make(**typed), what=what, check=look)
        return self._small(answer)

    def _small(self, answer: Any) -> Any:
        if isinstance(answer, Iterator):
            rows = list(islice(answer, self.max_rows + 1))
            if hasattr(answer, "close"):
                answer.close()  # the page that is under way
            answer = rows
        if isinstance(answer, list):
            if len(answer) > self.max_rows:
                raise ValueError(
                    f"{self.call} has more than {self.max_rows} rows, too many for the result of a task. Use "
                    "EmnifyToSqlOperator or EmnifyToObjectStorageOperator for all of them, narrow the call "
                    "with its filters, or raise max_rows"
                )
            self.log.info("%s: %d rows", self.call, len(answer))
        try:
            json.dumps(answer)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the result of {self.call} is not JSON ({error}); make the call with EmnifyHook in a task"
            ) from None
        return hide_secrets(answer, _operation(find_method(self.call)).secret_fields)


@functools.cache
def find_method(call: str) -> Callable[..., Any]:
    """Return the method of a resource class that ``resource.method`` names. No client is made.

    :raises ValueError: when there is none (with what is near), or when it deals with a secret.
    """
    from airflow_provider_emnify.api.resources import RESOURCES, operations_of

    resource, _, name = call.partition(".")
    operations = operations_of(RESOURCES[resource]) if resource in RESOURCES else {}
    if name not in operations:
        every = [f"{key}.{method}" for key, kind in RESOURCES.items() for method in operations_of(kind)]
        near = difflib.get_close_matches(call, every, n=3, cutoff=0.6)
        if near:
            remedy = f"did you mean {' or '.join(near)}?"
        elif operations:
            remedy = f"{resource} has {', '.join(sorted(operations))}"
        else:
            remedy = f"give '<resource>.<method>'; resources are {', '.join(sorted(RESOURCES))}"
        raise ValueError(f"call: there is no {call!r}; {remedy}")
    if operations[name].secret:
        raise ValueError(
            f"call: {call} deals with a secret, and arguments and results of a task are stored in the clear. "
            f"Make the call inside a task, EmnifyHook().get_conn().{call}(...), and hand the secret on there"
        )
    method: Callable[..., Any] = getattr(RESOURCES[resource], name)
    return method


def check_arguments(call: str, method: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Hold the names of arguments against a method's signature.

    :raises ValueError: naming every argument that is unknown (with what is near) or missing.
    """
    parameters = _signature(method).parameters
    complaints = [
        unknown_name("argument", str(name), parameters) for name in arguments if name not in parameters
    ]
    complaints += [
        f"argument {name!r} is missing"
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name not in arguments
    ]
    if complaints:
        signature = ", ".join(parameters)
        raise ValueError(f"arguments: {call}: {'; '.join(complaints)}; it takes {signature or 'none'}")


def _operation(method: Callable[..., Any]) -> Operation:
    operation: Operation = method.__dict__["operation"]
    return operation


def _signature(method: Callable[..., Any]) -> Signature:
    signature: Signature = method.__dict__["signature"]
    return signature


def _check(call: str, arguments: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the method of a call, and its arguments, parsed as far as they are known.

    :raises ValueError: for arguments that there are not or that hold a secret, quoting no value, and for a
        text that is nothing of what the method takes.
    """
    if not isinstance(arguments, Mapping):
        raise ValueError("arguments: this is not a dict; give arguments by name")  # noqa: TRY004 - as all bad arguments
    method = find_method(call)
    check_arguments(call, method, arguments)
    remedy = f"Make the call inside a task, EmnifyHook().get_conn().{call}(...)"
    secret_arguments = _operation(method).secret_arguments
    refuse_secrets(f"arguments: {call}", arguments, remedy, secret_arguments)
    known = {name: value for name, value in arguments.items() if is_known(value)}
    typed = {**arguments, **_signature(method).parse_texts(known, "arguments")}
    refuse_secrets(f"arguments: {call}", typed, remedy, secret_arguments)
    return method, typed
