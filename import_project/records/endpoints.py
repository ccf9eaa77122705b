"""Where and how postings are sent: method, templated path and body, batches, look-ups. What a feed says of it is read
in `config`; nothing is sent here."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Several postings in one request: an array, or one under the name `items` of an object.

    Each item has its own key, under the name `key`; the answer has a result for each, an array or one under the name
    `results`, whose `status` is what a single posting's HTTP status would be.
    """

    size: int
    key: str
    items: str | None = None
    results: str | None = None
    status: str = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """How the API is asked whether it has a posting: a GET of `path`, which may hold `{key}` and fields of the body.

    Fields in `same` must be in what is found, and as they were posted.
    """

    path: str
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Pages of all that the API has; items name the posting's key under `key`."""

    path: str
    key: str
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place that takes postings. Without `body`, all values of a row or payment are posted. `receipt` is a field
    that the answer to one that was taken has for certain."""

    path: str
    method: str = "POST"
    body: Any = None
    receipt: str | None = None
    batch: Batch | None = None
    look_up: LookUp | None = None
    listing: Listing | None = None
