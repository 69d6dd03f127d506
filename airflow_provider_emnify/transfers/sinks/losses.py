"""What a load does to a table: how it takes rows, what becomes of those that are gone, how many may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from airflow_provider_emnify.api.streams.columns import timestamp
from airflow_provider_emnify.api.values import parse_literal

Mode = Literal["merge", "append", "replace"]
MODES: tuple[Mode, ...] = ("merge", "append", "replace")
Deletions = Literal["keep", "mark", "delete"]
DELETIONS: tuple[Deletions, ...] = ("keep", "mark", "delete")

DELETED_AT = timestamp("deleted_at")
"""In a table whose rows are marked: when a run first found that a row is gone; null while it is there."""


class TableLossError(ValueError):
    """A load would leave fewer rows in a table than it may."""


@dataclass(frozen=True)
class Losses:
    """What a load may take away from a table.

    :param deletions: What becomes of rows that are gone, in a merge: they are kept, marked or deleted.
    :param max_shrink: How many rows fewer there may be: a share as a float, or a number as an int.
    :param min_rows: How many rows there have to be, at least.
    """

    deletions: Deletions = "keep"
    max_shrink: float | None = None
    min_rows: int | None = None

    @property
    def are_bounded(self) -> bool:
        """Whether there is anything to check."""
        return self.max_shrink is not None or self.min_rows is not None

    def check(self, table: str, before: int, after: int) -> None:
        """Refuse a load that takes away too much.

        :param table: Name of the table.
        :param before: Rows that it has.
        :param after: Rows that it would have.
        :raises TableLossError: naming both.
        """
        change = f"{table} would go from {before} rows to {after}"
        remedy = "The table is as it was; if so few rows are right, allow it for one run"
        if self.min_rows is not None and after < self.min_rows:
            raise TableLossError(f"min_rows: {change}, and {self.min_rows} is the least. {remedy}")
        if self.max_shrink is None:
            return
        most, share = int(self.max_shrink), ""
        if isinstance(self.max_shrink, float):
            most, share = int(Decimal(str(self.max_shrink)) * before), f", a share of {self.max_shrink:g}"
        if before - after > most:
            raise TableLossError(
                f"max_shrink: {change}, {before - after} fewer, and {most} fewer is the most{share}. {remedy}"
            )


def parse_shrink(value: Any, field: str) -> float:
    """Return a share (a float, 0 to 1) or a number of rows (an int), also from what a template renders to.

    :raises ValueError: naming the field and the value.
    """
    given = parse_literal(value) if isinstance(value, str) else value
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not given >= 0 or (isinstance(given, float) and given > 1):
        raise ValueError(
            f"{field}: {value!r} is not valid; give a share from 0.0 to 1.0 as a float, or a number of rows "
            "as an int of 0 or more"
        )
    number: float = given
    return number
