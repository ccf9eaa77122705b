"""What a row feed agrees on for its columns, and the Pandera schema and cell parsers that follow from it. No frames."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import polars as pl

if TYPE_CHECKING:
    import pandera.polars as pa

ColumnType = Literal["text", "integer", "decimal", "date", "boolean"]

#: Columns that readers add to a file's own; a file's column of such a name gets `_in_file` behind it.
RESERVED = frozenset({"row_number", "raw", "identity"})

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One agreed column. `minimum` and `maximum` are inclusive; `pattern` must fit the whole text.

    `date_format` is a strptime format; `decimal_mark` parts whole and fraction, of which `scale` digits are kept.
    """

    name: str
    type: ColumnType = "text"
    required: bool = True
    unique: bool = False
    scale: int = 2
    decimal_mark: str = "."
    date_format: str = "%Y-%m-%d"
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    max_length: int | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of the column once its cells are read."""
        types: Mapping[ColumnType, pl.DataType] = {
            "text": pl.String(),
            "integer": pl.Int64(),
            "decimal": pl.Decimal(38, self.scale),
            "date": pl.Date(),
            "boolean": pl.Boolean(),
        }
        return types[self.type]

    def parsed(self) -> pl.Expr:
        """Read text cells exactly: null where the text is not, to the last digit, a value of the type.

        Polars' own casts round decimals, take "1e3", and read "24-01-31" as the year 24.
        """
        text = pl.col(self.name).str.strip_chars().replace("", None)
        match self.type:
            case "text":
                return text
            case "integer":
                return pl.when(text.str.contains(r"^[+-]?[0-9]{1,18}$")).then(text).cast(pl.Int64)
            case "decimal":
                mark = r"\." if self.decimal_mark == "." else self.decimal_mark
                fraction = rf"({mark}[0-9]{{1,{self.scale}}})?" if self.scale else ""
                fits = rf"^[+-]?[0-9]{{1,{38 - self.scale - 1}}}{fraction}$"
                point = text if self.decimal_mark == "." else text.str.replace(self.decimal_mark, ".", literal=True)
                return pl.when(text.str.contains(fits)).then(point).cast(self.dtype)
            case "date":
                day = text.str.to_date(self.date_format, strict=False)
                return pl.when(day.dt.strftime(self.date_format) == text).then(day)
            case "boolean":
                return text.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.Boolean)

    def messages(self) -> dict[str, str]:
        """What each rule of the column says when it is broken."""
        return {
            "unreadable": f"cannot be read as {self._type_words}",
            "required": "a value is required",
            "unique": "the value occurs more than once in the file",
            "minimum": f"must be at least {self.minimum}",
            "maximum": f"must be at most {self.maximum}",
            "choices": f"must be one of {', '.join(self.choices)}",
            "pattern": f"must fit {self.pattern}",
            "max_length": f"must have at most {self.max_length} characters",
        }

    @property
    def _type_words(self) -> str:
        if self.type == "decimal":
            return f"decimal with {self.decimal_mark!r} and at most {self.scale} decimals"
        return f"date ({self.date_format})" if self.type == "date" else self.type

    def pandera(self) -> "pa.Column":
        """The column's rules for Pandera; each check's error is the rule's name."""
        import pandera.polars as pa

        checks = []
        if self.minimum is not None:
            checks.append(pa.Check.ge(self._limit(self.minimum, math.ceil), error="minimum"))
        if self.maximum is not None:
            checks.append(pa.Check.le(self._limit(self.maximum, math.floor), error="maximum"))
        if self.choices:
            checks.append(pa.Check.isin(list(self.choices), error="choices"))
        if self.pattern is not None:
            checks.append(pa.Check.str_matches(f"^(?:{self.pattern})$", error="pattern"))
        if self.max_length is not None:
            checks.append(pa.Check.str_length(max_value=self.max_length, error="max_length"))
        return pa.Column(self.dtype, checks, nullable=not self.required, unique=self.unique)

    def _limit(self, value: Decimal, whole: Callable[[Decimal], int]) -> Decimal | int:
        return whole(value) if self.type == "integer" else value

    def problem(self) -> str | None:
        """Say what makes the column unusable, before any file is read with it; None when it is sound."""
        if self.name in RESERVED or self.name == "*" or (self.name.startswith("^") and self.name.endswith("$")):
            return f"{self.name!r} cannot be a column's name"
        if self.type == "date":
            days = pl.Series("d", [date(2023, 1, 9), date(2031, 12, 28)])
            try:
                texts = days.dt.strftime(self.date_format)
                again = texts.str.to_date(self.date_format, strict=False)
            except pl.exceptions.PolarsError:
                again = days.clear()
            if not again.equals(days):
                return f"{self.date_format!r} does not tell one day from all others"
        if self.pattern is not None:
            try:
                pl.Series(["x"]).str.contains(f"^(?:{self.pattern})$")
            except pl.exceptions.PolarsError as error:
                why = next((x for x in str(error).splitlines() if x.startswith("error: ")), "error: unknown syntax")
                return f"{self.pattern!r} is no regular expression: {why.removeprefix('error: ')}"
        return None


@dataclass(frozen=True, kw_only=True)
class RowSchema:
    """The agreed columns of a row feed, and the columns that together name a row once (`key`, may be empty)."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names."""
        return {c.name: c for c in self.columns}

    def pandera(self) -> "pa.DataFrameSchema":
        """The whole schema for Pandera's polars backend, on a frame whose cells are read already."""
        import pandera.polars as pa

        key = list(self.key)

        def once(data: pa.PolarsData) -> pl.LazyFrame:
            complete = pl.all_horizontal(pl.col(key).is_not_null())
            return data.lazyframe.select(~(pl.struct(key).is_duplicated() & complete))

        checks = [pa.Check(once, error="key")] if key else []
        return pa.DataFrameSchema({c.name: c.pandera() for c in self.columns}, checks=checks, name=self.name)
