"""What a row feed agrees on, as written in `schemas/NAME.yaml`: models, and the validation room's terms for them."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from import_project.config.files import Zone
from import_project.config.values import Strict
from import_project.records.issues import Severity
from import_project.validation.columns import COLUMN_RULES, Column
from import_project.validation.schema import Limits, RowRule, RowSchema

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class ColumnRules(Strict):
    """One agreed column of a row feed; the words are those of `validation.columns.Column`."""

    name: str
    type: Literal["text", "integer", "decimal", "number", "date", "datetime", "boolean"] = "text"
    required: bool = True
    unique: bool = False
    optional: bool = False
    scale: int = Field(default=2, ge=0, le=18)
    decimal_mark: Literal[".", ","] = "."
    group_mark: Literal[".", ",", " ", "'"] | None = None
    date_format: str = "%Y-%m-%d"
    datetime_format: str = "%Y-%m-%dT%H:%M:%S"
    timezone: Zone = "UTC"
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    max_length: int | None = Field(default=None, gt=0)
    personal: bool | None = None
    severity: dict[Literal[COLUMN_RULES], Severity] = Field(default_factory=dict)  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _usable(self) -> Self:
        numeric = self.type in {"integer", "decimal", "number"}
        if not numeric and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"minimum and maximum need a number, {self.name} is {self.type}")
        if self.type != "text" and (self.choices or self.pattern or self.max_length):
            raise ValueError(f"choices, pattern and max_length need text, {self.name} is {self.type}")
        if problem := self.column().problem():
            raise ValueError(problem)
        return self

    def column(self) -> Column:
        """Return the column in the validation room's terms."""
        return Column(**self.model_dump())


class Across(Strict):
    """A rule about several columns: `must` is an SQL condition on the values that were read."""

    rule: Name
    must: str = Field(min_length=1)
    message: str = ""
    severity: Severity = Severity.ERROR

    def row_rule(self) -> RowRule:
        """Return the rule in the validation room's terms."""
        told = self.message or f"must hold: {self.must}"
        return RowRule(name=self.rule, must=self.must, message=told, severity=self.severity)


class Quarantine(Strict):
    """How much of a file may be quarantined before all of it is refused: of 100 rows, or rows."""

    percent: float | None = Field(default=None, ge=0, le=100)
    rows: int | None = Field(default=None, ge=0)


class Schema(Strict):
    """The agreed columns of a row feed; `key` names the columns that together name a row once in a file.

    `identity` names the file's columns that make a row the same in any file; without it, the agreed ones.
    """

    schema_name: Name = Field(alias="schema")
    columns: tuple[ColumnRules, ...] = Field(min_length=1)
    key: tuple[str, ...] = ()
    rules: tuple[Across, ...] = ()
    most_quarantined: Quarantine = Quarantine()
    identity: tuple[str, ...] = ()
    strict: bool = False

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [c.name for c in self.columns]
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise ValueError(f"column {', '.join(sorted(twice))} is given twice")
        strangers = [k for k in self.key if k not in names]
        if strangers:
            raise ValueError(f"key names {', '.join(strangers)}, which is no column")
        columns = [c.column() for c in self.columns]
        for rule in self.rules:
            if problem := rule.row_rule().problem(columns):
                raise ValueError(f"rule {rule.rule}: {problem}")
        return self

    def row_schema(self) -> RowSchema:
        """Return the schema in the validation room's terms."""
        return RowSchema(
            name=self.schema_name,
            columns=tuple(c.column() for c in self.columns),
            key=self.key,
            rules=tuple(r.row_rule() for r in self.rules),
            limits=Limits(percent=self.most_quarantined.percent, rows=self.most_quarantined.rows),
            identity=self.identity,
            strict=self.strict,
        )
