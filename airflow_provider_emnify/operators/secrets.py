"""Secrets that a task hands on to emnify: from a connection, or in an argument that is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseHook
from airflow_provider_emnify.api.secrets.names import secrets_in
from airflow_provider_emnify.arguments import is_known
from airflow_provider_emnify.hooks.masking import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_emnify.airflow_names import Connection


class MaskedArgument:
    """An operator's argument that Airflow masks from the moment its value is known.

    Airflow sets an argument again when its templates are rendered, before it stores what was rendered: what
    is stored then is masked. A subclass declares it in its body: ``activation_code = MaskedArgument()``.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__.get(self._name)

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, str) and is_known(value):
            mask(value)
        instance.__dict__[self._name] = value


class MaskedArguments(MaskedArgument):
    """A dict of arguments of which Airflow masks the secrets, at any depth, once their values are known.

    The owner's ``secret_arguments`` says which are secrets beside those that are known by their names.
    """

    def __set__(self, instance: Any, value: Any) -> None:
        for _, secret in secrets_in(value, getattr(instance, "secret_arguments", ())):
            for text in _texts(secret):
                if is_known(text):
                    mask(text)
        instance.__dict__[self._name] = value


def refuse_secrets(what: str, value: Any, mend: str, declared: Collection[str] = ()) -> None:
    """Refuse secrets in what a task is given; the message names their places and quotes none.

    :param what: What the value is.
    :param mend: What to do instead.
    :param declared: Places that hold secrets whatever they are called.
    :raises ValueError: when there is one.
    """
    places = sorted({place for place, _ in secrets_in(value, declared)})
    if places:
        raise ValueError(
            f"{what}: {', '.join(places)} is a secret, and arguments and results of a task are stored in the "
            f"clear. {mend}"
        )


def masked_connection(conn_id: str) -> Connection:
    """Fetch an Airflow connection that holds a secret; from now on, no log shows it.

    :param conn_id: The connection.
    """
    conn: Connection = BaseHook.get_connection(conn_id)
    for secret in _texts([conn.password, conn.extra_dejson]):
        mask(secret)
    return conn


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
