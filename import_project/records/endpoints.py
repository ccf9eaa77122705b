"""Where and how postings are sent: method, templated path and body, batches, look-ups. What a feed says of it is read
in `config`; nothing is sent here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_FIELD = re.compile(r"\{(\w+)\}")


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
    """One place that takes postings. Without `body`, all values of a row or payment are posted."""

    path: str
    method: str = "POST"
    body: Any = None
    batch: Batch | None = None
    look_up: LookUp | None = None
    listing: Listing | None = None

    def path_of(self, values: Mapping[str, Any]) -> str:
        """Return the path with its fields filled, each quoted. Raises KeyError for one that has no value."""
        return filled_path(self.path, values)

    def body_of(self, values: Mapping[str, Any]) -> Any:
        """Return what is posted of a row's or payment's values. Raises KeyError for a field they have not."""
        return dict(values) if self.body is None else filled(self.body, values)


def fields_of(template: Any) -> set[str]:
    """Return the names in braces, wherever they stand in a template."""
    if isinstance(template, str):
        return set(_FIELD.findall(template))
    if isinstance(template, Mapping):
        return set().union(*(fields_of(v) for v in template.values()))
    if isinstance(template, list | tuple):
        return set().union(*(fields_of(v) for v in template))
    return set()


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its fields filled. A text that is one field alone becomes the value itself, number or
    null; within a longer text, null is nothing."""
    if isinstance(template, str):
        alone = _FIELD.fullmatch(template)
        if alone:
            return values[alone[1]]
        return _FIELD.sub(lambda m: "" if values[m[1]] is None else str(values[m[1]]), template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template


def filled_path(template: str, values: Mapping[str, Any]) -> str:
    """Return a path with its fields filled and quoted, so that no value adds a step to it. Raises KeyError for a value
    that is missing, empty or only dots."""

    def text(match: re.Match[str]) -> str:
        value = values.get(match[1])
        told = "" if value is None else str(value)
        if not told or not told.strip("."):
            raise KeyError(match[1])
        return quote(told, safe="")

    return _FIELD.sub(text, template)
