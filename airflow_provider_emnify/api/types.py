"""What stands in the signatures of the resources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

Row = dict[str, Any]
Rows = list[Row]
Numbers = list[int]
Id = int | str
Ids = Id | Sequence[Id]
Moment = datetime | date | str
