"""A Pandera schema's rules as Polars expressions, so that all of them run in one pass and say which rows they refuse.

A check is not written again: its own function is called with a recorder in the frame's place, and what it selects is
kept. What cannot be recorded is left to Pandera, on the whole file. Why not `schema.validate`: it keeps no bad row
apart from a lazy frame, gives no row number for some failures, and makes a Python dict of every row that a frame
check refuses.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from import_project.errors import ConfigError, ImportProjectError
from import_project.frames import ROW_NUMBER
from import_project.records.issues import Severity
from import_project.validation.schema import RowSchema, empty_rows, of_one_row

if TYPE_CHECKING:
    import pandera.polars as pa

_WHOLE_ROW = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check. `column` is None where it is about several. `bad` is true for the rows it refuses.

    `whole_file`: what it says of a row depends on others. Without `bad`, `refused` runs Pandera's own check.
    """

    name: str
    column: str | None
    message: str
    severity: Severity
    bad: pl.Expr | None
    whole_file: bool = False
    refused: Callable[[pl.DataFrame], pl.Series] | None = None

    def hits(self, values: pl.DataFrame) -> pl.Series:
        """Return which rows of a frame the rule refuses."""
        try:
            if self.bad is None:
                assert self.refused is not None
                return self.refused(values)
            found = values.select(self.bad.alias("bad")).to_series()
        except ImportProjectError:
            raise
        except Exception as error:  # a stranger's check, or a value it cannot bear
            told = str(error).splitlines()[0] if str(error) else ""
            where = f"rule {self.name} of {self.column or 'the row'}"
            raise ConfigError(f"{where} failed on these rows: {type(error).__name__}: {told}", do="mend it") from error
        return found if len(found) == values.height else pl.repeat(found[0], values.height, eager=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Columns whose values, taken together, may stand in a file once. Rows that lack one of them are not held against
    it."""

    name: str
    columns: tuple[str, ...]
    message: str
    severity: Severity = Severity.ERROR

    @property
    def column(self) -> str | None:
        """The column, if it is one."""
        return self.columns[0] if self.name == "unique" else None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The checks of a schema: of rows by themselves, and of the file as a whole."""

    schema: RowSchema
    of_rows: tuple[Rule, ...]
    of_file: tuple[Rule, ...]
    once: tuple[Once, ...]


def compiled(schema: RowSchema) -> Rules:
    """Take the rules out of a schema.

    Raises ConfigError for one that cannot work on its columns: Polars would only say so at the first file, and Pandera
    would count it as one more failure.
    """
    found = tuple(_checks(schema))
    once = [
        Once(name="unique", columns=(c.name,), message=c.message("unique"), severity=c.severity_of("unique"))
        for c in schema.columns
        if c.unique
    ]
    if schema.key:
        told = f"another row of the file has the same {', '.join(schema.key)}"
        once.append(Once(name="key", columns=schema.key, message=told))
    return Rules(
        schema=schema,
        of_rows=tuple(r for r in found if not r.whole_file),
        of_file=tuple(r for r in found if r.whole_file),
        once=tuple(once),
    )


def _checks(schema: RowSchema) -> Iterator[Rule]:
    given = schema.pandera()
    given.get_backend(pl.DataFrame())  # registers what Polars' builtin checks do
    empty = empty_rows(schema.columns)
    for name, column in given.columns.items():
        for check in column.checks:
            yield _rule(check, name, empty, schema.name)
    for check in given.checks or ():
        yield _rule(check, _WHOLE_ROW, empty, schema.name)


def _rule(check: "pa.Check", key: str, empty: pl.DataFrame, schema: str) -> Rule:
    name = str(check.name or check.error or "check")
    made = partial(
        Rule,
        name=name,
        column=None if key == _WHOLE_ROW else key,
        message=str(check.error or check.description or name),
        severity=Severity.WARNING if check.raise_warning else Severity.ERROR,
    )
    good = _recorded(check, key)
    if good is None or not (check.element_wise or _names_its_columns(good, empty)):
        return made(bad=None, whole_file=True, refused=partial(_by_pandera, check, key))
    _prove(good, empty, f"schema {schema}: rule {name} of {'the row' if key == _WHOLE_ROW else key}")
    bad = ~good.fill_null(bool(check.ignore_na))
    return made(bad=bad, whole_file=not (check.element_wise or of_one_row(good)))


def _names_its_columns(good: pl.Expr, empty: pl.DataFrame) -> bool:
    """Whether an expression is one, about columns it names: "all columns" would mean other ones in our frames."""
    kinds = (pl.String(), pl.Int64(), pl.Float64(), pl.Decimal(38, 2), pl.Date(), pl.Boolean())
    wider = pl.DataFrame(schema={**empty.schema, **{f"_other_{n}": kind for n, kind in enumerate(kinds)}})
    try:
        outputs = [frame.lazy().select(good).collect_schema().names() for frame in (empty, wider)]
        plans = [frame.lazy().select(good).explain(optimized=False).partition("\n")[0] for frame in (empty, wider)]
    except pl.exceptions.DuplicateError:
        return False
    except pl.exceptions.PolarsError:
        return True  # it cannot be used, and is told so
    return len(outputs[0]) == len(outputs[1]) == 1 and plans[0] == plans[1]


class _NotRecorded(Exception):
    """The check does something else than select expressions."""


class _Selected(tuple[pl.Expr, ...]):
    """What a check selected."""


class _Recorder:
    """Stands in a lazy frame's place: it can only be selected from."""

    def select(self, *given: Any, **named: pl.Expr) -> _Selected:
        flat = [e for one in given for e in (one if isinstance(one, list | tuple) else [one])]
        found = [pl.col(e) if isinstance(e, str) else e for e in flat] + list(named.values())
        if not found or not all(isinstance(e, pl.Expr) for e in found):
            raise _NotRecorded
        return _Selected(found)

    def __getattr__(self, name: str) -> Any:
        raise _NotRecorded(name)


def _recorded(check: "pa.Check", key: str) -> pl.Expr | None:
    """Return what is true for the rows a check passes; None when it cannot be recorded."""
    from pandera.api.polars.types import PolarsData

    function: Any = check._check_fn  # noqa: SLF001 - Pandera's own; a test holds what we rely on
    if check.element_wise:
        if key == _WHOLE_ROW:
            return None
        return pl.col(key).map_elements(partial(function, **check._check_kwargs), return_dtype=pl.Boolean)  # noqa: SLF001
    name = getattr(function, "__name__", None)
    if name is not None and check.is_builtin_check(name):
        function = check.get_builtin_check_fn(name)
    try:
        found = function(PolarsData(_Recorder(), key), **check._check_kwargs)  # type: ignore[arg-type]  # noqa: SLF001
    except Exception:  # noqa: BLE001 - a stranger's function meets no frame: Pandera will give it one
        return None
    if not isinstance(found, _Selected):
        return None
    return found[0] if len(found) == 1 else pl.all_horizontal(*found)


def _by_pandera(check: "pa.Check", key: str, values: pl.DataFrame) -> pl.Series:
    from pandera.constants import CHECK_OUTPUT_KEY

    result = check(values.drop(ROW_NUMBER, strict=False).lazy(), key)
    found = result.check_output.collect()[CHECK_OUTPUT_KEY].cast(pl.Boolean)
    good = found if len(found) == values.height else pl.repeat(found[0], values.height, dtype=pl.Boolean, eager=True)
    return ~good.fill_null(bool(check.ignore_na))


def _prove(good: pl.Expr, empty: pl.DataFrame, where: str) -> None:
    try:
        if empty.select(good.alias("good")).schema["good"] != pl.Boolean:
            raise ConfigError(f"{where} gives no yes or no")
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{where} cannot be used: {str(error).splitlines()[0]}") from None


def columns_needed(rules: Sequence[Rule], names: Sequence[str]) -> list[str]:
    """Return the columns that rules look at; all of them where a rule does not say."""
    needed: set[str] = set()
    for rule in rules:
        needed |= set(names) if rule.bad is None else set(rule.bad.meta.root_names())
    return [n for n in names if n in needed]
