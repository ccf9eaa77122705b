"""A Pandera schema of the user's own, a `DataFrameModel` class or a `DataFrameSchema`, as a row schema. Nothing is
run.

How text is read stands in a column's `metadata`: `decimal_mark`, `group_mark`, `date_format`, `datetime_format`,
`timezone`.
"""

from typing import TYPE_CHECKING, Any

import polars as pl

from import_project.errors import ConfigError
from import_project.records.issues import Severity
from import_project.validation.columns import Column, ColumnType
from import_project.validation.schema import Limits, RowSchema

if TYPE_CHECKING:
    import pandera.polars as pa

_CELL_OPTIONS = frozenset({"decimal_mark", "group_mark", "date_format", "datetime_format", "timezone", "severity"})
_SCHEMA_OPTIONS = frozenset({"quarantined_percent", "quarantined_rows", "identity"})


def from_pandera(given: Any, name: str) -> RowSchema:
    """Return the row schema that a Pandera schema states.

    Raises ConfigError for what is none, and for what it asks of Pandera that is not done to text rows here: silence
    would let rows pass.
    """
    import pandera.polars as pa

    if isinstance(given, type) and issubclass(given, pa.DataFrameModel):
        try:
            config = given.to_schema()
        except Exception as error:  # a stranger's class, built by a library
            raise ConfigError(f"schema {name} cannot be used: {type(error).__name__}: {error}") from error
    elif isinstance(given, pa.DataFrameSchema):
        config = given
    else:
        raise ConfigError(f"{name} is no Pandera schema for Polars", do="use pandera.polars.DataFrameModel")
    _refuse(config, name)
    kept = getattr(getattr(given, "__config__", None), "metadata", None)
    own = dict(kept or config.metadata or {})  # a model does not hand its own on to the schema that it makes
    if strange := set(own) - _SCHEMA_OPTIONS:
        raise ConfigError(f"schema {name}: metadata {', '.join(sorted(strange))} is not known")
    columns = tuple(_column(column, f"{name}.{key}") for key, column in config.columns.items())
    key = tuple(config.unique or ())
    return RowSchema(
        name=config.name or name,
        columns=columns,
        key=key,
        limits=Limits(percent=own.get("quarantined_percent"), rows=own.get("quarantined_rows")),
        identity=tuple(own.get("identity", ())),
        strict=config.strict is True,
        given=config,
    )


def _refuse(schema: "pa.DataFrameSchema", name: str) -> None:
    asked = {
        "index": schema.index is not None,
        "ordered": schema.ordered,
        "strict='filter'": schema.strict == "filter",
        "add_missing_columns": schema.add_missing_columns,
        "parsers": bool(schema.parsers),
        "a dtype of its own": schema.dtype is not None,
        "report_duplicates": schema.report_duplicates != "all",
        "several unique keys": bool(schema.unique) and not all(isinstance(c, str) for c in schema.unique),
    }
    for what, wanted in asked.items():
        if wanted:
            raise ConfigError(f"schema {name}: {what} is not known for row feeds", do="leave it out")


def _column(given: "pa.Column", where: str) -> Column:
    for what, wanted in {
        "regex": given.regex,
        "default": given.default is not None,
        "parsers": bool(given.parsers),
        "report_duplicates": given.report_duplicates != "all",
    }.items():
        if wanted:
            raise ConfigError(f"schema {where}: {what} is not known for row feeds", do="leave it out")
    own: dict[str, Any] = dict(given.metadata or {})
    if strange := set(own) - _CELL_OPTIONS:
        raise ConfigError(f"schema {where}: metadata {', '.join(sorted(strange))} is not known")
    if "severity" in own:
        own["severity"] = {rule: Severity(value) for rule, value in own["severity"].items()}
    dtype = getattr(given.dtype, "type", None)
    kind, scale = _type(dtype() if isinstance(dtype, type) else dtype, where)
    column = Column(
        name=str(given.name),
        type=kind,
        scale=scale,
        required=not given.nullable,
        unique=given.unique,
        optional=not given.required,
        **own,
    )
    if problem := column.problem():
        raise ConfigError(f"schema {where}: {problem}")
    return column


def _type(dtype: pl.DataType | None, where: str) -> tuple[ColumnType, int]:
    match dtype:
        case pl.String():
            return "text", 2
        case pl.Int64():
            return "integer", 2
        case pl.Decimal():
            return "decimal", dtype.scale or 0
        case pl.Float64():
            return "number", 2
        case pl.Date():
            return "date", 2
        case pl.Datetime() if dtype.time_zone == "UTC":
            return "datetime", 2
        case pl.Boolean():
            return "boolean", 2
    known = "pl.String, pl.Int64, pl.Decimal, pl.Float64, pl.Date, pl.Datetime('us', 'UTC'), pl.Boolean"
    raise ConfigError(f"schema {where}: a column of {dtype} is not read", do=f"use one of {known}")
