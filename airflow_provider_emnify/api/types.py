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
TextId = int | str
"""An id that emnify takes as a text, or may: a UUID, a username, ``my``."""
Moment = datetime | date | str
"""A point in time, in UTC where it has no time zone."""
Dated = datetime | date | str
"""A date or a point in time to filter by, each as it is given."""
Day = datetime | date | str
"""A date; of a point in time, its date in UTC."""
