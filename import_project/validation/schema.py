"""What a row feed agrees on for its rows: columns, keys, rules across columns, and how many rows may be quarantined."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from import_project.records.issues import Severity
from import_project.validation.columns import TRY_OUT, Column

if TYPE_CHECKING:
    import pandera.polars as pa

    from import_project.validation.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """A rule about several columns: `must` is an SQL condition on values. A row where it cannot be told is right."""

    name: str
    must: str
    message: str
    severity: Severity = Severity.ERROR

    def problem(self, columns: Sequence[Column]) -> str | None:
        """Say why the condition cannot be used with these columns, before any file is read; None when it can."""
        return condition_problem(self.must, empty_rows(columns))


def empty_rows(columns: Sequence[Column]) -> pl.DataFrame:
    """Return a frame of these columns without any row, to try things on."""
    return pl.DataFrame(schema={c.name: c.dtype for c in columns})


def condition(text: str) -> pl.Expr:
    """Return an SQL condition as an expression."""
    return pl.sql_expr(text)


def condition_problem(text: str, empty: pl.DataFrame) -> str | None:
    """Say why `text` is no condition on the columns of a frame; None when it is one, told for each row by itself."""
    if not TRY_OUT.get():
        return None
    try:
        found = empty.select(_=condition(text))
        if found.schema["_"] != pl.Boolean:
            return f"{text!r} is no condition: it gives {found.schema['_']}"
        if not of_one_row(condition(text)):
            return f"{text!r} looks at more than one row"
    except pl.exceptions.PolarsError as error:
        return f"{text!r} cannot be used: {str(error).splitlines()[0]}"
    return None


def of_one_row(expression: pl.Expr) -> bool:
    """Whether what an expression says of a row depends on that row alone, for certain.

    Polars answers for the outermost step only, and cannot tell of steps whose type it does not know without columns:
    those of its SQL are arithmetic and comparisons, those of Python may be anything.
    """
    written = str(expression)
    if ".is_in([col(" in written or "python_udf" in written:  # among the values of a column: of all its rows
        return False
    try:
        alone = expression.meta.is_row_separable()
    except pl.exceptions.ColumnNotFoundError:
        alone = ".sql_" in written
    except pl.exceptions.PolarsError:
        return False
    among = "is_in([Series" in written
    inner = (e for e in expression.meta.pop() if not (among and str(e) == "Series"))
    return alone and all(map(of_one_row, inner))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a file may be quarantined before all of it is refused. `percent` and `rows` may both be given."""

    percent: float | None = None
    rows: int | None = None

    def broken_by(self, quarantined: int, rows: int) -> str | None:
        """Say which limit so many quarantined rows break; None when none."""
        if self.rows is not None and quarantined > self.rows:
            return f"{quarantined:,} of {rows:,} rows are quarantined, more than {self.rows:,}"
        if self.percent is not None and quarantined * 100 > self.percent * rows:
            share = quarantined * 100 / rows
            return f"{quarantined:,} of {rows:,} rows ({share:.1f} %) are quarantined, more than {self.percent:g} %"
        return None


@dataclass(frozen=True, kw_only=True)
class RowSchema:
    """The agreed columns of a row feed, and the columns that together name a row once (`key`, may be empty).

    `identity` names the file's columns that make a row the same one in any file; empty: the agreed columns. `given`
    is a Pandera schema that says the same of its columns, and all other rules. `strict`: a column that is not agreed
    refuses the file.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    limits: Limits = Limits()
    identity: tuple[str, ...] = ()
    strict: bool = False
    given: "pa.DataFrameSchema | None" = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names."""
        return {c.name: c for c in self.columns}

    @cached_property
    def compiled(self) -> "Rules":
        """The rules, taken out once: many small files are split by the same. Raises ConfigError as `compiled` does."""
        from import_project.validation.rules import compiled

        return compiled(self)

    def pandera(self) -> "pa.DataFrameSchema":
        """The whole schema for Pandera's polars backend, on a frame whose cells are read already."""
        if self.given is not None:
            return self.given
        import pandera.polars as pa

        return pa.DataFrameSchema(
            {c.name: c.pandera() for c in self.columns},
            checks=[self._across(rule) for rule in self.rules],
            unique=list(self.key) or None,
            name=self.name,
        )

    def _across(self, rule: RowRule) -> "pa.Check":
        import pandera.polars as pa

        def holds(data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(condition(rule.must))

        return pa.Check(holds, name=rule.name, error=rule.message, raise_warning=rule.severity is Severity.WARNING)
