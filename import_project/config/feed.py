"""What a feed is, as a model: where files come from, what they look like, what is done with them. The inbox's half is
in `sources` and `files`; YAML is read in `load`."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from import_project.config.files import Files, Folders
from import_project.config.formats import Format
from import_project.config.match import Match
from import_project.config.python_objects import Reference, is_reference
from import_project.config.schemas import Name
from import_project.config.sources import Source
from import_project.config.values import Secret, Strict, Text, Url, UrlPath
from import_project.formats.registry import ROW_FORMATS


def _schema_name(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text) is None and not is_reference(text):
        raise ValueError(f"{text!r} is neither a file in schemas/ nor Python such as FILE.py:NAME")
    return text


class Post(Strict):
    """Where results are posted: `rows` of a row feed; payments that are `matched` (with `{invoice_id}`) or `unmatched`,
    and `credits`, what is left over of them.

    `on_row`, `on_matched` and `on_unmatched` are Python that is called in place of an API: with each row of a row feed,
    with each payment that settles an invoice or leaves a credit, with each that settles nothing.
    """

    api: Name | None = None
    rows: UrlPath | None = None
    on_row: Reference | None = None
    matched: UrlPath | None = None
    unmatched: UrlPath | None = None
    credits: UrlPath | None = None
    on_matched: Reference | None = None
    on_unmatched: Reference | None = None

    @model_validator(mode="after")
    def _places(self) -> Self:
        known = {"rows": [], "matched": ["invoice_id"], "unmatched": [], "credits": []}
        for key, wanted in known.items():
            path = getattr(self, key)
            if path is not None and re.findall(r"\{(\w*)\}", path) != wanted:
                raise ValueError(
                    f"{key} must hold {'{invoice_id} once' if wanted else 'nothing in braces'}, not {path!r}"
                )
        return self

    @property
    def paths(self) -> dict[str, str | None]:
        """The API's paths, by key."""
        return {f"post.{k}": getattr(self, k) for k in ("rows", "matched", "unmatched", "credits")}

    @property
    def calls(self) -> dict[str, str | None]:
        """The Python that is called, by key."""
        return {f"post.{k}": getattr(self, k) for k in ("on_row", "on_matched", "on_unmatched")}


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
        given = {k for k, v in (self.post.paths | self.post.calls).items() if v is not None}
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
        paths = {k for k, v in self.post.paths.items() if v is not None}
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


class Api(Strict):
    """A receiving HTTP API. `concurrency` bounds the requests under way; time-outs in seconds."""

    api: Name
    base_url: Url
    token: Secret
    tenant_id: Text | None = None
    key_header: str = "Idempotency-Key"
    concurrency: int = Field(default=8, ge=1, le=256)
    timeout_seconds: float = Field(default=30, gt=0)
