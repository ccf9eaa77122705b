"""What a row feed agrees on for one column, and the Pandera column that follows from it. No frames."""

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import polars as pl

from import_project.frames import RESERVED
from import_project.records.issues import Severity

if TYPE_CHECKING:
    import pandera.polars as pa

#: Whether formats, patterns and conditions are tried out with Polars when they are read. That starts its threads, and
#: what has threads must not fork.
TRY_OUT: ContextVar[bool] = ContextVar("formats, patterns and conditions are tried out", default=True)

ColumnType = Literal["text", "integer", "decimal", "number", "date", "datetime", "boolean"]

#: The rules of a column, by the names that issues carry.
COLUMN_RULES = ("unreadable", "required", "unique", "minimum", "maximum", "choices", "pattern", "max_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One agreed column. `minimum` and `maximum` are inclusive; `pattern` must fit the whole text.

    `decimal_mark` parts whole and fraction, of which `scale` digits are kept; `group_mark` may part thousands (a
    blank also stands for the two blanks that do not break). `date_format` and `datetime_format` are strptime formats;
    a time without an offset is one of `timezone`, and is kept in UTC. `severity` says which of its rules only warn. A
    column that is `optional` may be missing from the file. `personal` says whether it is masked where rows are shown to
    all; None: text is, unless it has `choices`.
    """

    name: str
    type: ColumnType = "text"
    required: bool = True
    unique: bool = False
    optional: bool = False
    scale: int = 2
    decimal_mark: str = "."
    group_mark: str | None = None
    date_format: str = "%Y-%m-%d"
    datetime_format: str = "%Y-%m-%dT%H:%M:%S"
    timezone: str = "UTC"
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    max_length: int | None = None
    severity: Mapping[str, Severity] = field(default_factory=dict)
    personal: bool | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of the column once its cells are read."""
        types: Mapping[ColumnType, pl.DataType] = {
            "text": pl.String(),
            "integer": pl.Int64(),
            "decimal": pl.Decimal(38, self.scale),
            "number": pl.Float64(),
            "date": pl.Date(),
            "datetime": pl.Datetime("us", "UTC"),
            "boolean": pl.Boolean(),
        }
        return types[self.type]

    def with_plain_cells(self) -> "Column":
        """Return the column as it reads cells that a typed file's values were written to."""
        return replace(
            self,
            decimal_mark=".",
            group_mark=None,
            date_format="%Y-%m-%d",
            datetime_format="%Y-%m-%dT%H:%M:%S%.f",
        )

    def severity_of(self, rule: str) -> Severity:
        """Return what breaking a rule of the column means."""
        return self.severity.get(rule, Severity.ERROR)

    def message(self, rule: str) -> str:
        """Say what is wrong with a cell that breaks a rule."""
        return {
            "unreadable": f"cannot be read as {self._type_words}",
            "required": "a value is required",
            "unique": "the value occurs more than once in the file",
            "minimum": f"must be at least {self.minimum}",
            "maximum": f"must be at most {self.maximum}",
            "choices": f"must be one of {', '.join(self.choices)}",
            "pattern": f"must fit {self.pattern}",
            "max_length": f"must have at most {self.max_length} characters",
        }[rule]

    @property
    def _type_words(self) -> str:
        match self.type:
            case "decimal":
                groups = f", thousands parted by {self.group_mark!r}" if self.group_mark else ""
                return f"decimal with {self.decimal_mark!r} and at most {self.scale} decimals{groups}"
            case "date":
                return f"date ({self.date_format})"
            case "datetime":
                return f"datetime ({self.datetime_format}, {self.timezone})"
            case _:
                return self.type

    def pandera(self) -> "pa.Column":
        """The column's rules for Pandera; a check is named as its rule."""
        import pandera.polars as pa

        made = []
        if self.minimum is not None:
            made.append(self._check("minimum", pa.Check.ge, self._limit(self.minimum, math.ceil)))
        if self.maximum is not None:
            made.append(self._check("maximum", pa.Check.le, self._limit(self.maximum, math.floor)))
        if self.choices:
            made.append(self._check("choices", pa.Check.isin, list(self.choices)))
        if self.pattern is not None:
            made.append(self._check("pattern", pa.Check.str_matches, f"^(?:{self.pattern})$"))
        if self.max_length is not None:
            made.append(self._check("max_length", pa.Check.str_length, None, self.max_length))
        return pa.Column(
            self.dtype,
            made,
            nullable=not self.required or self.severity_of("required") is Severity.WARNING,
            unique=self.unique and self.severity_of("unique") is Severity.ERROR,
            required=not self.optional,
        )

    def _check(self, rule: str, build: "Callable[..., pa.Check]", *arguments: object) -> "pa.Check":
        warns = self.severity_of(rule) is Severity.WARNING
        return build(*arguments, name=rule, error=self.message(rule), raise_warning=warns)

    def _limit(self, value: Decimal, whole: Callable[[Decimal], int]) -> Decimal | int | float:
        if self.type == "integer":
            return whole(value)
        return float(value) if self.type == "number" else value

    def problem(self) -> str | None:
        """Say what makes the column unusable, before any file is read with it; None when it is sound."""
        if self.name in RESERVED or self.name == "*" or (self.name.startswith("^") and self.name.endswith("$")):
            return f"{self.name!r} cannot be a column's name"
        if self.type == "decimal" and self.decimal_mark == self.group_mark:
            return "decimal_mark and group_mark cannot be the same"
        if strange := set(self.severity) - set(COLUMN_RULES):
            return f"{', '.join(sorted(strange))} is no rule of a column"
        return (self._format_problem() or self._pattern_problem()) if TRY_OUT.get() else None

    def _format_problem(self) -> str | None:
        if "%f" in self.datetime_format:
            return "a fraction of a second is written %.f, which is its point too"
        try:
            if self.type == "date":
                days = pl.Series("d", [date(2023, 1, 9), date(2031, 12, 28)])
                again = days.dt.strftime(self.date_format).str.to_date(self.date_format, strict=False)
                return None if again.equals(days) else f"{self.date_format!r} does not tell one day from all others"
            if self.type == "datetime":
                times = [datetime(2023, 1, 9, 7, 5, tzinfo=UTC), datetime(2031, 12, 28, 23, 59, tzinfo=UTC)]
                moments = pl.Series("d", times, dtype=pl.Datetime("us", "UTC"))
                zoned = "%z" in self.datetime_format
                texts = (moments if zoned else moments.dt.replace_time_zone(None)).dt.strftime(self.datetime_format)
                found = texts.str.to_datetime(self.datetime_format, strict=False, time_unit="us")
                found = found.dt.convert_time_zone("UTC") if zoned else found.dt.replace_time_zone("UTC")
                told = f"{self.datetime_format!r} does not tell one minute from all others"
                return None if found.equals(moments) else told
        except pl.exceptions.PolarsError:
            return (
                f"{self.date_format if self.type == 'date' else self.datetime_format!r} is no format of a {self.type}"
            )
        return None

    def _pattern_problem(self) -> str | None:
        if self.pattern is None:
            return None
        try:
            pl.Series(["x"]).str.contains(f"^(?:{self.pattern})$")
        except pl.exceptions.PolarsError as error:
            why = next((x for x in str(error).splitlines() if x.startswith("error: ")), "error: unknown syntax")
            return f"{self.pattern!r} is no regular expression: {why.removeprefix('error: ')}"
        return None
