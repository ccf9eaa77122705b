"""What a feed is, as a model: where files come from, what they look like, what is done with them. The inbox's half is
in `sources` and `files`; YAML is read in `load`."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from import_project.config.files import Files, Folders
from import_project.config.sources import Source
from import_project.config.values import Secret, Strict, Text, Url
from import_project.formats.registry import FORMATS
from import_project.validation.columns import Column

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Sign = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")]


class Format(Strict):
    """How the bytes are read. `delimiter`, `encoding` and `quote` belong to delimited text, `accept_test` to BgMax."""

    kind: Literal[tuple(FORMATS)]  # type: ignore[valid-type]
    delimiter: Sign | None = None
    encoding: str | None = None
    quote: Sign | None = None
    accept_test: bool | None = None

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        known = {"delimited": {"delimiter", "encoding", "quote"}, "bgmax": {"accept_test"}}[self.kind]
        strangers = set(self.options) - known
        if strangers:
            raise ValueError(f"{', '.join(sorted(strangers))} does not belong to format {self.kind}")
        if self.delimiter is not None and self.delimiter == (self.quote or '"'):
            raise ValueError("delimiter and quote cannot be the same")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except (LookupError, ValueError, UnicodeError):
                raise ValueError(f"{self.encoding!r} is no encoding that Python knows") from None
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given, for the format's `read`."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class ColumnRules(Strict):
    """One agreed column of a row feed; the words are those of `validation.columns.Column`."""

    name: str
    type: Literal["text", "integer", "decimal", "date", "boolean"] = "text"
    required: bool = True
    unique: bool = False
    scale: int = Field(default=2, ge=0, le=18)
    decimal_mark: Literal[".", ","] = "."
    date_format: str = "%Y-%m-%d"
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    max_length: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        numeric = self.type in {"integer", "decimal"}
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


class Schema(Strict):
    """The agreed columns of a row feed; `key` names the columns that together name a row once in a file."""

    schema_name: Name = Field(alias="schema")
    columns: tuple[ColumnRules, ...] = Field(min_length=1)
    key: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [c.name for c in self.columns]
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise ValueError(f"column {', '.join(sorted(twice))} is given twice")
        strangers = [k for k in self.key if k not in names]
        if strangers:
            raise ValueError(f"key names {', '.join(strangers)}, which is no column")
        return self


class Match(Strict):
    """Where open invoices come from and which rules decide, in their order."""

    invoices: UrlPath
    rules: tuple[Literal["reference", "references"], ...] = Field(default=("reference", "references"), min_length=1)


class Post(Strict):
    """Where results are posted: `rows` for a row feed; `matched` (with `{invoice_id}`) and `unmatched` for payments."""

    api: Name
    rows: UrlPath | None = None
    matched: UrlPath | None = None
    unmatched: UrlPath | None = None

    @model_validator(mode="after")
    def _places(self) -> Self:
        known = {"rows": [], "matched": ["invoice_id"], "unmatched": []}
        for key, wanted in known.items():
            path = getattr(self, key)
            if path is not None and re.findall(r"\{(\w*)\}", path) != wanted:
                raise ValueError(
                    f"{key} must hold {'{invoice_id} once' if wanted else 'nothing in braces'}, not {path!r}"
                )
        return self


class Poll(Strict):
    """How often the inbox is listed."""

    every_seconds: int = Field(default=30, ge=1)


class Feed(Strict):
    """An agreement with a partner."""

    feed: Name
    description: str = ""
    kind: Literal["rows", "payments"]
    source: Source
    files: Files
    format: Annotated[Format, BeforeValidator(lambda v: {"kind": v} if isinstance(v, str) else v)]
    schema_name: Name | None = Field(default=None, alias="schema")
    match: Match | None = None
    post: Post
    poll: Poll = Poll()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        rows = self.kind == "rows"
        wanted = {"schema": self.schema_name, "post.rows": self.post.rows}
        other = {"match": self.match, "post.matched": self.post.matched, "post.unmatched": self.post.unmatched}
        needed, strange = (wanted, other) if rows else (other, wanted)
        for key, value in needed.items():
            if value is None:
                raise ValueError(f"a feed of {self.kind} needs {key}")
        for key, value in strange.items():
            if value is not None:
                raise ValueError(f"a feed of {self.kind} has no {key}")
        if self.source.kind == "http_pull" and self.files.done_file is not None:
            raise ValueError("files.done_file has no meaning at fixed addresses (source.kind: http_pull)")
        if self.source.read_only and self.files.folders != Folders():
            raise ValueError("files.folders has no meaning where nothing is moved (source.read_only)")
        if rows != (self.format.kind == "delimited"):
            raise ValueError(f"format {self.format.kind} does not hold {self.kind}")
        return self


class Api(Strict):
    """A receiving HTTP API. `concurrency` bounds the requests under way; time-outs in seconds."""

    api: Name
    base_url: Url
    token: Secret
    tenant_id: Text | None = None
    key_header: str = "Idempotency-Key"
    concurrency: int = Field(default=8, ge=1, le=256)
    timeout_seconds: float = Field(default=30, gt=0)
