"""What a feed is, as a model: where files come from, what they look like, what is done with them. The inbox's half is
in `sources` and `files`; YAML is read in `load`."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from import_project.config.files import Files, Folders
from import_project.config.formats import Format
from import_project.config.python_objects import Reference, is_reference
from import_project.config.schemas import Name
from import_project.config.sources import Source
from import_project.config.values import Secret, Strict, Text, Url
from import_project.formats.registry import ROW_FORMATS

UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")]


def _schema_name(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text) is None and not is_reference(text):
        raise ValueError(f"{text!r} is neither a file in schemas/ nor Python such as FILE.py:NAME")
    return text


class Match(Strict):
    """Where open invoices come from and which rules decide, in their order."""

    invoices: UrlPath
    rules: tuple[Literal["reference", "references"], ...] = Field(default=("reference", "references"), min_length=1)


class Post(Strict):
    """Where results are posted: `rows` for a row feed; `matched` (with `{invoice_id}`) and `unmatched` for payments.

    `on_row` is Python that is called with each row of a row feed, in place of an API.
    """

    api: Name | None = None
    rows: UrlPath | None = None
    on_row: Reference | None = None
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
    format: Format
    schema_name: Annotated[str, AfterValidator(_schema_name)] | None = Field(default=None, alias="schema")
    transform: Reference | None = None
    skip_if: str | None = Field(default=None, min_length=1)
    match: Match | None = None
    post: Post
    poll: Poll = Poll()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        rows = self.kind == "rows"
        self._only_what_belongs(rows=rows)
        if rows and (self.post.rows is None) == (self.post.on_row is None):
            raise ValueError("a feed of rows needs exactly one of post.rows and post.on_row")
        if (self.post.on_row is not None) == (self.post.api is not None):
            raise ValueError("post.api goes with post.rows, not with post.on_row" if rows else "post.api is missing")
        if self.source.kind == "http_pull" and self.files.done_file is not None:
            raise ValueError("files.done_file has no meaning at fixed addresses (source.kind: http_pull)")
        if self.source.read_only and self.files.folders != Folders():
            raise ValueError("files.folders has no meaning where nothing is moved (source.read_only)")
        if rows != (self.format.kind in ROW_FORMATS):
            raise ValueError(f"format {self.format.kind} does not hold {self.kind}")
        return self

    def _only_what_belongs(self, *, rows: bool) -> None:
        wanted = {"schema": self.schema_name}
        optional = {"post.rows": self.post.rows, "post.on_row": self.post.on_row}
        optional |= {"transform": self.transform, "skip_if": self.skip_if}
        other = {"match": self.match, "post.matched": self.post.matched, "post.unmatched": self.post.unmatched}
        needed, strange = (wanted, other) if rows else (other, wanted | optional)
        for key, value in needed.items():
            if value is None:
                raise ValueError(f"a feed of {self.kind} needs {key}")
        for key, value in strange.items():
            if value is not None:
                raise ValueError(f"a feed of {self.kind} has no {key}")


class Api(Strict):
    """A receiving HTTP API. `concurrency` bounds the requests under way; time-outs in seconds."""

    api: Name
    base_url: Url
    token: Secret
    tenant_id: Text | None = None
    key_header: str = "Idempotency-Key"
    concurrency: int = Field(default=8, ge=1, le=256)
    timeout_seconds: float = Field(default=30, gt=0)
