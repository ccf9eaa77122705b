"""An accepted row as it is handed to Python of the user's own. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its feed, its number in the file, and its values by column (Decimal, date and aware UTC datetime where
    agreed).

    `key` is the same for the same row for ever: whoever keeps it can tell a row that is handed over once more.
    """

    feed: str
    number: int
    key: str
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        """Return the value of a column."""
        return self.values[column]
