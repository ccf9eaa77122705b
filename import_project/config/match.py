"""How a feed's payments are matched: where open invoices come from, how references are read, which rules decide."""

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from import_project.config.mistakes import told
from import_project.config.values import Folder, Secret, Strict, UrlPath

Column = Literal[
    "invoice_id",
    "reference",
    "currency",
    "open_amount",
    "customer_id",
    "customer_name",
    "payer_accounts",
    "due_on",
    "discount",
    "discount_until",
    "closed",
    "version",
]
#: The columns of an open invoice that a source may give; the first four it must.
ALL_COLUMNS: tuple[Column, ...] = get_args(Column)
COLUMNS = ALL_COLUMNS[:4]


class Invoices(Strict):
    """Where open invoices come from: exactly one of a path of the feed's API, a SQL query, and a file.

    `columns` names a source's own column for each of ours that it calls otherwise. `most_age_minutes` is how old the
    list may be when payments are matched with it.
    """

    api: UrlPath | None = None
    sql: str | None = Field(default=None, min_length=1)
    url: Secret | None = None
    file: Folder | None = None
    columns: Mapping[Column, str] = Field(default_factory=dict)
    most_age_minutes: int = Field(default=60, ge=1, le=525_600)

    @model_validator(mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return {"api": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(v is not None for v in (self.api, self.sql, self.file)) != 1:
            raise ValueError("give exactly one of api, sql and file")
        if (self.sql is None) != (self.url is None):
            raise ValueError("sql and url go together: the query, and the database it is asked")
        return self


class References(Strict):
    """How references are read: as they are given (always), in other ways to write them, and out of free text; and the
    check digits that the invoices' references carry."""

    variants: bool = True
    free_text: bool = True
    check_digits: tuple[Literal["luhn", "eleven", "seven_three_one"], ...] = ()

    @property
    def widths(self) -> tuple[str, ...]:
        """How widely references are read, the surest way first."""
        more = {"variants": self.variants, "free_text": self.free_text}
        return ("given", *(width for width, wanted in more.items() if wanted))


class Tolerance(Strict):
    """A difference that is written off: at most `amount`, and `percent` of what is open; `budget` for an invoice."""

    amount: Decimal = Field(default=Decimal("1.00"), gt=0)
    percent: Decimal | None = Field(default=Decimal(5), gt=0, le=100)
    budget: Decimal | None = Field(default=None, gt=0)


class Discount(Strict):
    """An early-payment discount; days behind the terms that are let pass."""

    grace_days: int = Field(default=0, ge=0, le=60)


class Several(Strict):
    """Several references; how many invoices that are named only in text are looked at."""

    most_invoices: int = Field(default=24, ge=2, le=30)


class Unproved(Strict):
    """Whether a reference is believed that neither a check digit nor the payer confirms."""

    unproved: bool = False


class PayerAmount(Strict):
    """How many days a booking may be from the due date."""

    days: int = Field(default=60, ge=0, le=3_660)


class PayerSum(Strict):
    """How many open invoices a payer may have."""

    most_invoices: int = Field(default=12, ge=2, le=24)


class SeveralPayments(Strict):
    """How many days payments may be apart, and how many open invoices their payer may have."""

    days: int = Field(default=14, ge=0, le=366)
    most_invoices: int = Field(default=8, ge=1, le=16)


class SimilarName(Strict):
    """From which similarity of 100 an invoice is proposed."""

    least: int = Field(default=85, ge=50, le=100)


class Plain(Strict):
    """A rule without options."""


#: Each rule's options. The names are those of the modules in `matching.rules`; a test holds both against each other.
OPTIONS: Mapping[str, type[Strict]] = {
    "reference": Plain,
    "several_references": Several,
    "discount": Discount,
    "tolerance": Tolerance,
    "other_currency": Plain,
    "partial": Unproved,
    "overpayment": Unproved,
    "payer_and_amount": PayerAmount,
    "payer_and_sum": PayerSum,
    "several_payments": SeveralPayments,
    "similar_name": SimilarName,
}
#: What decides where a feed does not say: nothing is written off, and nothing is left over.
DEFAULT_RULES = tuple(name for name in OPTIONS if name not in {"tolerance", "overpayment"})


def _rule(value: Any) -> Any:
    """Read `name` or `{name: options}`."""
    given = {value: {}} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or len(given) != 1:
        raise ValueError(f"{value!r} is no rule: write its name, or {{name: options}}")
    ((name, options),) = given.items()
    if name not in OPTIONS:
        raise ValueError(f"there is no rule {name!r}; there are {', '.join(OPTIONS)}")
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"rule {name}: options are keys and values, such as {{days: 30}}, not {options!r}")
    try:
        return {"name": name, "options": OPTIONS[name].model_validate(options or {}).model_dump()}
    except ValidationError as errors:
        raise ValueError(f"rule {name}: {told(errors, OPTIONS[name])}") from None


class RuleChoice(Strict):
    """A rule by its name, with its options."""

    name: str
    options: Mapping[str, Any]


class Match(Strict):
    """Where open invoices come from and which rules decide, in their order."""

    invoices: Invoices
    references: References = References()
    rules: tuple[Annotated[RuleChoice, BeforeValidator(_rule)], ...] = Field(
        default=DEFAULT_RULES, min_length=1, validate_default=True
    )

    @field_validator("rules")
    @classmethod
    def _each_once(cls, rules: tuple[RuleChoice, ...]) -> tuple[RuleChoice, ...]:
        names = [r.name for r in rules]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"the rule {twice} is named twice")
        return rules

    @property
    def edition(self) -> str:
        """Name the rules and options together: decisions made under the same name were made the same way."""
        told = [self.references.model_dump(mode="json"), [r.model_dump(mode="json") for r in self.rules]]
        return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]
