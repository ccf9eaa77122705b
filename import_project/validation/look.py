"""One batch of rows held against the rules: its values, which rows are bad, and why. Rows of other batches are not
known."""

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Protocol

import polars as pl

from import_project.errors import ConfigError, ImportProjectError, Unreadable
from import_project.frames import RESERVED, ROW_NUMBER, Batch, Part
from import_project.records.issues import Severity
from import_project.validation.cells import as_plain_text, read_cells
from import_project.validation.columns import Column
from import_project.validation.identity import identity_key
from import_project.validation.repeats import hashes_of
from import_project.validation.rules import Rules, columns_needed

ERROR = pl.col("severity") == Severity.ERROR.value
#: A change of the rows before they are read, by the user; it sees and returns a frame with the same `row_number`s.
Transform = Callable[[pl.DataFrame], pl.DataFrame]


class Broken(Protocol):
    """A rule that a row breaks, as far as telling it goes."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def column(self) -> str | None: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> Severity: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A cell that holds no value of its column's type, or nothing where something must stand."""

    name: str
    column: str
    message: str
    severity: Severity

    @classmethod
    def of(cls, column: Column, rule: str) -> "_Cell":
        return cls(name=rule, column=column.name, message=column.message(rule), severity=column.severity_of(rule))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`rows` as read, and `values` of those that could be parted, in the agreed types; `bad` goes with `values`.

    `hashes` are those of values that may stand once, by the place of their rule, and of identities (`None`).
    """

    rows: pl.DataFrame
    values: pl.DataFrame
    bad: pl.Series
    issues: pl.DataFrame
    records: int
    fixed: bool
    columns: frozenset[str]
    hashes: dict[int | None, pl.Series] = field(default_factory=dict)
    keys: pl.Series | None = None

    def behind(self, records: int) -> "Looked":
        """Return it as it is numbered behind so many records."""
        if not records:
            return self
        later = pl.col(ROW_NUMBER) + records
        return replace(
            self,
            rows=self.rows.with_columns(later),
            values=self.values.with_columns(later),
            issues=self.issues.with_columns(later),
        )

    @property
    def size(self) -> int:
        """Bytes held, about; a column of text that was read as it is counts twice."""
        return int(self.rows.estimated_size() + self.values.estimated_size())


@dataclass(kw_only=True)
class Looker:
    """Looks at parts of one file. With `only_hashes`, which may be set in between, nothing but the hashes is made."""

    rules: Rules
    identities: bool = False
    transform: Transform | None = None
    only_hashes: bool = False

    def __call__(self, part: Part) -> Looked:
        """Read a part and look at it. Raises Unreadable where an agreed column is missing from a header."""
        return self.look(part())

    def look(self, batch: Batch) -> Looked:
        """Look at a batch that is read."""
        schema = self.rules.schema
        rows, light = batch.frame, self.only_hashes
        keys = identity_key(rows, schema.identity or [c.name for c in schema.columns]) if self.identities else None
        condemned = batch.issues.filter(ERROR & pl.col(ROW_NUMBER).is_not_null())[ROW_NUMBER].unique()
        whole = rows.filter(~pl.col(ROW_NUMBER).is_in(condemned.implode())) if condemned.len() else rows
        given = self._transformed(whole)
        self._all_there(given, batch)
        wanted = schema.columns
        if light:
            needed = {c for once in self.rules.once for c in once.columns}
            needed |= set(columns_needed(self.rules.of_file, list(schema.by_name)))
            wanted = tuple(c for c in schema.columns if c.name in needed)
        present = set(given.columns)
        values = given.select(
            ROW_NUMBER,
            *(
                read_cells(c, given.schema[c.name], trimmed=batch.trimmed and self.transform is None).alias(c.name)
                if c.name in present
                else pl.lit(None, c.dtype).alias(c.name)
                for c in wanted
            ),
        )
        hashes: dict[int | None, pl.Series] = {i: hashes_of(values, o.columns) for i, o in enumerate(self.rules.once)}
        if keys is not None:
            hashes[None] = keys.hash()
        bad, issues = (None, batch.issues) if light else self._held_against_rules(given, values, batch)
        return Looked(
            rows=rows,
            values=values,
            bad=bad if bad is not None else pl.repeat(value=False, n=values.height, dtype=pl.Boolean, eager=True),
            issues=issues,
            records=batch.records,
            fixed=batch.fixed,
            columns=frozenset(batch.columns) | (present - RESERVED if self.transform else frozenset()),
            hashes=hashes,
            keys=keys,
        )

    def _transformed(self, whole: pl.DataFrame) -> pl.DataFrame:
        if self.transform is None:
            return whole
        try:
            given = self.transform(whole)
        except ImportProjectError:
            raise
        except pl.exceptions.ColumnNotFoundError as error:
            told = str(error).splitlines()[0]
            raise Unreadable(f"the transform wants a column that the file has not: {told}") from error
        except Exception as error:
            raise ConfigError(f"the transform failed: {type(error).__name__}: {error}", do="mend it") from error
        if not _same_rows(given, whole):
            raise ConfigError(
                "the transform gave other rows than it got", do="keep row_number, and every row in its place"
            )
        return given

    def _all_there(self, given: pl.DataFrame, batch: Batch) -> None:
        missing = [c.name for c in self.rules.schema.columns if not c.optional and c.name not in given.columns]
        if missing and batch.fixed:
            raise missing_columns(missing, batch.columns)

    def _flags(self, values: pl.DataFrame) -> pl.DataFrame:
        """Return a column for each rule of rows: true where it refuses one. Raises ConfigError, naming a rule that
        fails."""
        rules = self.rules.of_rows
        try:
            return values.select(r.bad.alias(str(i)) for i, r in enumerate(rules) if r.bad is not None)
        except Exception:  # noqa: BLE001 - one by one, the rule that fails says so
            return pl.DataFrame({str(i): rule.hits(values) for i, rule in enumerate(rules)})

    def _held_against_rules(
        self, given: pl.DataFrame, values: pl.DataFrame, batch: Batch
    ) -> tuple[pl.Series | None, pl.DataFrame]:
        found = [batch.issues]
        errors: list[pl.Series] = []

        def tell(hits: pl.Series, broken: Broken) -> None:
            found.append(told(given, hits, broken))
            if broken.severity is Severity.ERROR:
                errors.append(hits)

        for column in self.rules.schema.columns:
            for unfit, hits in _unfit_cells(column, given, values):
                tell(hits, _Cell.of(column, unfit))
        if self.rules.of_rows and values.height:
            flags = self._flags(values)
            broken = flags.select(pl.all().any()).row(0)
            for rule, flag, hit in zip(self.rules.of_rows, flags.iter_columns(), broken, strict=True):
                if hit:
                    tell(flag, rule)
        bad = functools.reduce(operator.or_, errors) if errors else None
        return bad, pl.concat(found)


def _same_rows(given: object, whole: pl.DataFrame) -> bool:
    return isinstance(given, pl.DataFrame) and ROW_NUMBER in given and given[ROW_NUMBER].equals(whole[ROW_NUMBER])


def _unfit_cells(column: Column, given: pl.DataFrame, values: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """Tell apart cells that lack a value they must have from those that hold something else. Both are null by now."""
    there = column.name in given.columns
    if not values[column.name].null_count() or (column.optional and not there):
        return
    if column.type == "text" and not column.required:
        return
    empty = values[column.name].is_null()
    if column.type != "text" and there:
        cells = given[column.name].filter(empty)
        filled = (
            (cells.str.strip_chars() != "").fill_null(value=False) if cells.dtype == pl.String else cells.is_not_null()
        )
        if filled.any():
            unread = pl.repeat(value=False, n=empty.len(), dtype=pl.Boolean, eager=True)
            unread = unread.scatter(empty.arg_true().filter(filled), values=True)
            yield "unreadable", unread
            empty = empty & ~unread
    if column.required and empty.any():
        yield "required", empty


def missing_columns(missing: Sequence[str], columns: Sequence[str]) -> Unreadable:
    """Return the error of a file that lacks agreed columns: no row of it can be right."""
    near = [
        n for one in missing for n in get_close_matches(one, columns, n=1, cutoff=0.75)
    ]  # alike: no customer's data
    like = f", and alike are {', '.join(dict.fromkeys(near))}" if near else ""
    verb = "is" if len(missing) == 1 else "are"
    return Unreadable(
        f"{', '.join(map(repr, missing))} {verb} missing from the first row, the header",
        do=f"it has {len(columns)} columns{like}; see them with `import-project inspect`",
    )


def told(given: pl.DataFrame, hits: pl.Series | None, broken: "Broken") -> pl.DataFrame:
    """Return an issue for each hit row (None: for all), with the cell as it was read."""
    numbers = given[ROW_NUMBER] if hits is None else given[ROW_NUMBER].filter(hits)
    column, value = broken.column, _always(None, numbers.len())
    if column is not None and column in given.columns and broken.name != "required":
        cells = given[column] if hits is None else given[column].filter(hits)
        value = (
            cells
            if cells.dtype == pl.String
            else cells.to_frame().select(as_plain_text(pl.col(column), cells.dtype))[column]
        )
    return pl.DataFrame(
        {
            ROW_NUMBER: numbers,
            "statement": _always(None, numbers.len(), pl.Int64()),
            "column": _always(column, numbers.len()),
            "rule": _always(broken.name, numbers.len()),
            "value": value,
            "message": _always(broken.message, numbers.len()),
            "severity": _always(broken.severity.value, numbers.len()),
        }
    )


def _always(value: str | None, rows: int, dtype: pl.DataType | None = None) -> pl.Series:
    return pl.Series([value], dtype=dtype or pl.String()).new_from_index(0, rows)
