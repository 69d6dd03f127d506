"""What stands in the signatures of the resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from airflow_provider_emnify.api.values import parse_day, parse_moment


@dataclass(frozen=True)
class Written:
    """How a value of a type is written in a request.

    :param parse: Parses a value, and takes its argument's name as ``field``; None for an id, and for what is
        sent as it is given.
    """

    parse: Callable[..., Any] | None = None


def _text(value: Any, field: str) -> str:
    return str(value)


Row = dict[str, Any]
Rows = list[Row]
Numbers = list[int]
Id = Annotated[int | str, Written()]
Ids = Id | Sequence[Id]
TextId = Annotated[int | str, Written(_text)]
"""An id that emnify takes as a text, or may: a UUID, a username, ``my``."""
Moment = Annotated[datetime | date | str, Written(parse_moment)]
"""A point in time, in UTC where it has no time zone."""
Dated = Annotated[datetime | date | str, Written()]
"""A date or a point in time to filter by, each as it is given."""
Day = Annotated[datetime | date | str, Written(parse_day)]
"""A date; of a point in time, its date in UTC."""
