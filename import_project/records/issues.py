"""Findings about rows and files. What is done about them is decided elsewhere."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error sets a row, section or file aside; a warning is only recorded."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One finding about a row (`row_number`), a statement of a bank file (`statement`), or, with neither, the file.

    An error about a statement condemns all its rows; `row_number` then only says where it was found.
    """

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    row_number: int | None = None
    statement: int | None = None
    column: str | None = None
    value: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether it sets something aside."""
        return self.severity is Severity.ERROR
