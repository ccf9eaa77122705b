"""What a receiving API and its endpoints are, as models: how it is called, how long it knows a key, when it is left in
peace."""

import re
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from import_project.config.schemas import Name
from import_project.config.values import ExistingFile, Secret, Strict, Text, Url, UrlPath
from import_project.posting.templates import fields_of, texts_of
from import_project.records import endpoints
from import_project.records.terms import Breaking, Terms, Waits

_TAKEN_HEADERS = frozenset({"authorization", "content-type", "content-length", "accept", "host", "x-tenant-id"})


class Retry(Strict):
    """Tries within one run: waits are drawn between 0 and `first_seconds`, doubled each time, at most
    `longest_seconds`.

    Retry-After is obeyed up to `retry_after_seconds`. After `budget_seconds` without any progress the run ends; the
    file's next run goes on.
    """

    first_seconds: float = Field(default=0.5, gt=0)
    longest_seconds: float = Field(default=30, gt=0)
    budget_seconds: float = Field(default=120, ge=0)
    retry_after_seconds: float = Field(default=3600, gt=0)


class Breaker(Strict):
    """After `failures` in a row nothing is sent for `first_seconds`, doubled each time, at most `longest_seconds`; then
    one posting tries whether the API is back."""

    failures: int = Field(default=5, ge=1)
    first_seconds: float = Field(default=5, gt=0)
    longest_seconds: float = Field(default=300, gt=0)


def _header(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise ValueError(f"{name!r} is no name of a header")
    if name.lower() in _TAKEN_HEADERS:
        raise ValueError(f"the header {name} has a meaning of its own")
    return name


def _bare(url: str) -> str:
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must be an address alone, without user, query or fragment")
    return url


def _certificates(path: Path) -> Path:
    if b"-----BEGIN CERTIFICATE-----" not in path.read_bytes():
        raise ValueError(f"{path} holds no certificate (PEM)")
    return path


class Api(Strict):
    """A receiving HTTP API. `concurrency` bounds the requests under way of one run; time-outs in seconds.

    At most `most_runs` runs use it at once. `key_hours` is how long it knows an idempotency key at least. `ca_file`
    names certificates (PEM) beside the system's.
    """

    api: Name
    base_url: Annotated[Url, AfterValidator(_bare)]
    token: Secret
    tenant_id: Text | None = None
    ca_file: Annotated[ExistingFile, AfterValidator(_certificates)] | None = None
    key_header: Annotated[str, AfterValidator(_header)] = "Idempotency-Key"
    key_hours: float = Field(default=24, gt=0, le=87_600)
    concurrency: int = Field(default=16, ge=1, le=256)
    most_runs: int | None = Field(default=None, ge=1, le=1_000)
    requests_per_second: float | None = Field(default=None, gt=0)
    timeout_seconds: float = Field(default=30, gt=0)
    connect_seconds: float = Field(default=10, gt=0)
    retry: Retry = Retry()
    breaker: Breaker = Breaker()

    @property
    def terms(self) -> Terms:
        """The same for whoever sends."""
        retry, breaker = self.retry, self.breaker
        return Terms(
            api=self.api,
            key_window=timedelta(hours=self.key_hours),
            rate=self.requests_per_second,
            probe=timedelta(seconds=self.connect_seconds + self.timeout_seconds),
            settling=timedelta(seconds=self.timeout_seconds),
            waits=Waits(
                first=retry.first_seconds,
                longest=retry.longest_seconds,
                budget=retry.budget_seconds,
                retry_after=retry.retry_after_seconds,
            ),
            breaking=Breaking(
                failures=breaker.failures, waits=Waits(first=breaker.first_seconds, longest=breaker.longest_seconds)
            ),
        )


class Batch(Strict):
    """Several postings in one request, each with its own key; see `records.endpoints`."""

    size: int = Field(ge=2, le=10_000)
    key: str = Field(min_length=1)
    items: str | None = None
    results: str | None = None
    status: str = "status"


class LookUp(Strict):
    """How the API is asked whether it has a posting."""

    path: UrlPath
    same: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _tells(self) -> Self:
        if not self.same and "key" not in fields_of(self.path):
            raise ValueError("same is missing: fields by which what is found is known as ours")
        return self


class Listing(Strict):
    """Where the API lists what it has."""

    path: UrlPath
    key: str = "key"
    same: tuple[str, ...] = ()


def _path_alone(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Endpoint(Strict):
    """A path that takes postings, or more about it: method, body, batches, look-ups."""

    path: UrlPath
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    body: Any = None
    receipt: str | None = None
    batch: Batch | None = None
    look_up: Annotated[LookUp, BeforeValidator(_path_alone)] | None = None
    listing: Annotated[Listing, BeforeValidator(_path_alone)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        looks = [self.path, self.look_up.path if self.look_up else "", self.listing.path if self.listing else ""]
        for text in (*looks, *texts_of(self.body)):
            if set("{}") & set(re.sub(r"\{\w+\}", "", text)):
                raise ValueError(f"braces in {text!r} must hold one name each, such as {{invoice_id}}")
        if self.body is not None and not fields_of(self.body):
            raise ValueError("body names no field in braces: every posting would be the same")
        if self.listing is not None and fields_of(self.listing.path):
            raise ValueError("listing lists everything: its path has nothing in braces")
        if self.batch is not None and fields_of(self.path):
            raise ValueError("a batch goes to one path: nothing in braces")
        if self.batch is not None and self.body is not None and not isinstance(self.body, dict):
            raise ValueError("in a batch each body needs its key: body must hold names and values")
        return self

    def names_posted(self, known: Collection[str]) -> set[str]:
        """Return the fields that a posting carries in its path or body, of those it may."""
        return fields_of(self.path) | (set(known) if self.body is None else fields_of(self.body))

    @property
    def endpoint(self) -> endpoints.Endpoint:
        """The same for whoever sends."""
        return endpoints.Endpoint(
            path=self.path,
            method=self.method,
            body=self.body,
            receipt=self.receipt,
            batch=endpoints.Batch(**self.batch.model_dump()) if self.batch else None,
            look_up=endpoints.LookUp(**self.look_up.model_dump()) if self.look_up else None,
            listing=endpoints.Listing(**self.listing.model_dump()) if self.listing else None,
        )


def field_problem(endpoint: Endpoint, known: Collection[str]) -> str | None:
    """Return what is wrong with the fields that templates name, where only `known` can be posted."""
    asked = fields_of(endpoint.path) | fields_of(endpoint.body)
    if strange := sorted(asked - set(known)):
        return f"there is no {', '.join(strange)} to post, only {', '.join(sorted(known))}"
    body = endpoint.body
    if endpoint.batch is not None and endpoint.batch.key in (body if isinstance(body, dict) else known):
        return f"batch.key: {endpoint.batch.key} is a field of the posted body already"
    posted = {"key", *(body if isinstance(body, dict) else known)}
    looks = [("look_up", endpoint.look_up), ("listing", endpoint.listing)]
    for name, look in looks:
        if look is None:
            continue
        if strange := sorted((fields_of(look.path) | set(look.same)) - posted):
            return f"{name}: the posted body has no {', '.join(strange)}"
    return None


OneEndpoint = Annotated[Endpoint, BeforeValidator(_path_alone)]
