"""Asking an API whether it has a posting, and holding what it has against what was posted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from import_project.errors import ApiAnswerUnusable, ConfigError
from import_project.posting.answers import RECEIPT_LENGTH, Verdict
from import_project.posting.templates import filled_path
from import_project.records.endpoints import LookUp
from import_project.records.postings import PostingState


class Asked(Protocol):
    """What can be asked: an API's client."""

    async def get(self, path: str, *, missing: Any = None) -> Any:
        """Return the JSON answer to a GET."""


class Sent(Protocol):
    """What is looked for: a posting."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def body(self) -> str:
        """Its body, JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the API has for a posting: the items alike, and those that differ in a field that must be the same."""

    alike: tuple[Mapping[str, Any], ...]
    other: tuple[Mapping[str, Any], ...]


async def look_up(client: Asked, how: LookUp, posting: Sent) -> Found:
    """Ask for a posting. An answer is one object, a list, or `{"items": [...]}`; 404 is none.

    Raises ApiUnavailable, ApiRefusesUs, ApiAnswerUnusable; ConfigError when the posting lacks a field that is asked by.
    """
    body = json.loads(posting.body)
    values = {**(body if isinstance(body, dict) else {}), "key": posting.key}
    try:
        path = filled_path(how.path, values)
    except KeyError as missing:
        raise ConfigError(f"look_up needs {missing}, which a posting has not") from None
    items = _items(await client.get(path, missing=()), path)
    alike = tuple(i for i in items if not differences(how.same, values, i))
    return Found(alike=alike, other=tuple(i for i in items if i not in alike))


def _items(answer: Any, path: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(answer, dict):
        answer = answer["items"] if isinstance(answer.get("items"), list) else [answer]
    if not isinstance(answer, list | tuple) or not all(isinstance(item, dict) for item in answer):
        raise ApiAnswerUnusable(f"the answer to GET {path} is no object and no list of objects")
    return [item for item in answer if item]


def differences(same: Sequence[str], posted: Mapping[str, Any], item: Mapping[str, Any]) -> list[str]:
    """Return which fields of an item are not as they were posted: numbers by value, all else by its text."""
    return [name for name in same if name not in item or not _equal(posted.get(name), item[name])]


def _equal(one: Any, other: Any) -> bool:
    if str(one) == str(other):
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    try:
        return Decimal(str(one)) == Decimal(str(other))
    except InvalidOperation:
        return False


def found_out(found: Found) -> Verdict | None:
    """Say what a look-up makes of a posting; None: the API has it not, and it may be sent."""
    if len(found.alike) == 1:
        told = f"found by look-up: {json.dumps(found.alike[0], ensure_ascii=False)}"
        return Verdict(state=PostingState.DONE, told=told[:RECEIPT_LENGTH])
    if found.alike:
        return Verdict(state=PostingState.DEAD, told=f"the API has it {len(found.alike)} times")
    if found.other:
        told = f"the API has another in its place: {json.dumps(found.other[0], ensure_ascii=False)}"
        return Verdict(state=PostingState.DEAD, told=told[:RECEIPT_LENGTH])
    return None
