"""What an ordinary run of an operator or sensor is; and all that there are."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify import operators, sensors
from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator
from tests.faults.in_process import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.api import EmnifyClient

_DELAYS = (
    "online_after",
    "sms_delivered_after",
    "operations_after",
    "streams_running_after",
    "attachments_active_after",
)


@dataclass
class Case:
    """An ordinary run.

    :param name: Name of the class.
    :param arguments: What it is given, or what makes that of the sandbox once it is prepared.
    :param done: Whether the sandbox shows that it was done; None where nothing is changed.
    :param prepare: What has to be there before.
    :param takes_away: It is done as well when emnify says that the thing is not there.
    :param done_by_conflict: A 409 says that it is so already.
    :param settings: Settings of the sandbox.
    :param extra: More extras of the connection.
    :param as_user: With a user's credentials instead of an application token.
    """

    name: str
    arguments: dict[str, Any] | Callable[[InProcess], dict[str, Any]]
    done: Callable[[InProcess], object] | None = None
    prepare: Callable[[EmnifyClient, InProcess], object] = lambda client, sandbox: None
    takes_away: bool = False
    done_by_conflict: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    as_user: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def sandbox(self) -> InProcess:
        """Make a sandbox, in which whatever takes time is over at once."""
        at_once = dict.fromkeys(_DELAYS, 0.0)
        settings = {"token_form": "opaque", "euiccs": 2, "events": 5, **at_once, **self.settings}
        return InProcess(3, as_user=self.as_user, extra=self.extra, **settings)

    def make(self, sandbox: InProcess) -> Any:
        """Make the operator or sensor, which looks once where it waits."""
        kind = PUBLIC[self.name]
        arguments = self.arguments(sandbox) if callable(self.arguments) else self.arguments
        waits: dict[str, Any] = {}
        if hasattr(kind, "poke"):
            waits = {"poke_interval": 0.001, "timeout": 0.0}
        elif issubclass(kind, EmnifyWaitingOperator):
            waits = {"poll_interval": 0.001, "timeout": 0.001}
        return kind(task_id="t", **{**waits, **arguments})


def _classes() -> Iterator[tuple[str, type[Any]]]:
    for package in (operators, sensors):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, found in vars(importlib.import_module(module.name)).items():
                if inspect.isclass(found) and issubclass(found, BaseOperator) and name.startswith("Emnify"):
                    yield name, found


_BASES = {"EmnifyBaseOperator", "EmnifyWaitingOperator", "EmnifyCancellingOperator", "EmnifyWaitSensor"}
PUBLIC: dict[str, type[Any]] = {
    name: kind for name, kind in _classes() if not inspect.isabstract(kind) and name not in _BASES
}
"""Every operator and sensor that a user can take, by its name."""
