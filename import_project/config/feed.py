"""What a feed is, as a model: where files come from, what they look like, what is done with them. The inbox's half is
in `sources` and `files`; YAML is read in `load`."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from import_project.config.apis import Endpoint, OneEndpoint, field_problem
from import_project.config.files import Files, Folders
from import_project.config.formats import Format
from import_project.config.match import Match
from import_project.config.operating import Checks, Hooks, Owner, Tags
from import_project.config.python_objects import Reference, is_reference
from import_project.config.runs import Runs
from import_project.config.schemas import Name
from import_project.config.sources import Source
from import_project.config.values import Strict
from import_project.formats.registry import ROW_FORMATS
from import_project.posting.templates import fields_of


def _schema_name(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text) is None and not is_reference(text):
        raise ValueError(f"{text!r} is neither a file in schemas/ nor Python such as FILE.py:NAME")
    return text


_COMMON = {"payment_id", "currency", "payment_amount", "booking_date", "account", "references"}
_PAYER, _RULE = {"payer_name", "payer_account"}, {"rule", "rule_version", "decided_by"}
#: What is posted of a payment, by key of `post`; templates name these.
PAYMENT_FIELDS: Mapping[str, frozenset[str]] = {
    "matched": frozenset(
        {*_COMMON, *_RULE, "invoice_id", "amount", "residual", "written_off", "settles", "invoice_currency"}
        | {"invoice_version", "reverses"}
    ),
    "unmatched": frozenset(
        {*_COMMON, *_PAYER, "bank_reference", "reason", "explanation", "remittance", "decided_by", "reverses"}
    ),
    "credits": frozenset({*_COMMON, *_PAYER, *_RULE, "invoice_ids", "amount"}),
}
#: What every payment has, so that a path may hold it.
_NEVER_EMPTY = {"payment_id", "invoice_id", "currency", "account", "booking_date", "payment_amount", "amount"}
_NEVER_EMPTY |= {"reason", "rule", "rule_version"}
_ENDPOINTS = ("rows", "matched", "unmatched", "credits")
_CALLS = ("on_row", "on_matched", "on_unmatched")


class Post(Strict):
    """Where results are posted: `rows` of a row feed; payments that are `matched` or `unmatched`, and `credits`, what
    is left over of them. Each is a path, or an endpoint with method, body, batches and look-ups.

    `on_row`, `on_matched` and `on_unmatched` are Python that is called in place of an API: with each row of a row feed,
    with each payment that settles an invoice or leaves a credit, with each that settles nothing.
    """

    api: Name | None = None
    rows: OneEndpoint | None = None
    on_row: Reference | None = None
    matched: OneEndpoint | None = None
    unmatched: OneEndpoint | None = None
    credits: OneEndpoint | None = None
    on_matched: Reference | None = None
    on_unmatched: Reference | None = None

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        for key, fields in PAYMENT_FIELDS.items():
            endpoint = getattr(self, key)
            if endpoint is None:
                continue
            if problem := field_problem(endpoint, fields):
                raise ValueError(f"{key}: {problem}")
            if empty := sorted(fields_of(endpoint.path) - _NEVER_EMPTY):
                raise ValueError(f"{key}: the path needs {', '.join(empty)}, which a payment may lack")
        if self.matched is not None and "invoice_id" not in self.matched.names_posted(PAYMENT_FIELDS["matched"]):
            raise ValueError("matched must hold {invoice_id} in its path or body")
        return self

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The API's endpoints that are named, by key."""
        return {k: one for k in _ENDPOINTS if (one := getattr(self, k)) is not None}

    @property
    def calls(self) -> dict[str, str | None]:
        """The Python that is called, by key."""
        return {f"post.{k}": getattr(self, k) for k in _CALLS}


class Poll(Strict):
    """How often the inbox is listed. As it comes: a folder of this machine every 5 seconds, a partner's server every
    30."""

    every_seconds: int | None = Field(default=None, ge=1)


class Feed(Strict):
    """An agreement with a partner."""

    feed: Name
    description: str = ""
    kind: Literal["rows", "payments"]
    source: Source
    files: Files
    format: Format
    schema_name: Annotated[str, AfterValidator(_schema_name)] | None = Field(default=None, alias="schema")
    transform: Reference | None = None
    skip_if: str | None = Field(default=None, min_length=1)
    match: Match | None = None
    post: Post
    poll: Poll = Poll()
    run: Runs = Runs()
    checks: Checks = Checks()
    hooks: Hooks = Hooks()
    owners: tuple[Owner, ...] = ()
    tags: Tags = Field(default_factory=dict)

    @property
    def every_seconds(self) -> int:
        """The time between two polls."""
        return self.poll.every_seconds or (5 if self.source.kind == "local_fs" else 30)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        rows = self.kind == "rows"
        self._only_what_belongs(rows=rows)
        if self.source.kind == "http_pull" and self.files.done_file is not None:
            raise ValueError("files.done_file has no meaning at fixed addresses (source.kind: http_pull)")
        if self.source.read_only and self.files.folders != Folders():
            raise ValueError("files.folders has no meaning where nothing is moved (source.read_only)")
        if rows != (self.format.kind in ROW_FORMATS):
            raise ValueError(f"format {self.format.kind} does not hold {self.kind}")
        return self

    def _only_what_belongs(self, *, rows: bool) -> None:
        belongs = {"post.rows", "post.on_row"} if rows else {"post.matched", "post.unmatched", "post.credits"}
        belongs |= set() if rows else {"post.on_matched", "post.on_unmatched"}
        paths = {f"post.{k}" for k in self.post.endpoints}
        given = paths | {k for k, v in self.post.calls.items() if v is not None}
        of_rows = {"schema": self.schema_name, "transform": self.transform, "skip_if": self.skip_if}
        strange = given - belongs | {k for k, v in of_rows.items() if v is not None and not rows}
        strange |= {"match"} if rows and self.match is not None else set()
        needed = {"schema": self.schema_name} if rows else {"match": self.match}
        for key, value in needed.items():
            if value is None:
                raise ValueError(f"a feed of {self.kind} needs {key}")
        for key in sorted(strange):
            raise ValueError(f"a feed of {self.kind} has no {key}")
        if rows:
            _exactly_one(self.post, "rows")
        else:
            self._payments_are_posted(self.match)
        asked = self.match is not None and self.match.invoices.api is not None
        if paths and self.post.api is None:
            raise ValueError("post.api is missing")
        if asked and self.post.api is None:
            raise ValueError("post.api is missing: match.invoices is a path of it")
        if not paths and not asked and self.post.api is not None:
            raise ValueError(f"post.api goes with a path, not with {', '.join(sorted(given))} alone")

    def _payments_are_posted(self, match: Match | None) -> None:
        _exactly_one(self.post, "matched")
        _exactly_one(self.post, "unmatched")
        if (self.post.on_matched is None) != (self.post.on_unmatched is None):
            raise ValueError("post.on_matched and post.on_unmatched go together")
        leaves = match is not None and any(r.name == "overpayment" for r in match.rules)
        if leaves and self.post.credits is None and self.post.on_matched is None:
            raise ValueError("the rule overpayment needs post.credits: where what is left over is posted")


def _exactly_one(post: Post, key: str) -> None:
    name = "on_row" if key == "rows" else f"on_{key}"
    if (getattr(post, key) is None) == (getattr(post, name) is None):
        feed = "rows" if key == "rows" else "payments"
        raise ValueError(f"a feed of {feed} needs exactly one of post.{key} and post.{name}")
