"""Asking an API whether it has a posting, and holding what it has against what was posted."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from import_project.errors import ApiAnswerUnusable, ConfigError
from import_project.posting.answers import Verdict, clean
from import_project.posting.templates import filled_path
from import_project.records.endpoints import LookUp
from import_project.records.postings import PostingState

#: A number as amounts are written: an order number with zeros before it is none.
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


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
    """Ask for a posting. An answer is one object, a list, or `{"items": [...]}`; 404, 204, null and nothing are none.

    Raises ApiUnavailable, ApiRefusesUs; ApiAnswerUnusable also for an item that does not tell whether it is ours; and
    ConfigError when the posting lacks a field that is asked by.
    """
    values = values_of(posting)
    try:
        path = filled_path(how.path, values)
    except KeyError as missing:
        raise ConfigError(f"look_up needs {missing}, which the posting has not") from None
    items = _items(await client.get(path, missing=()))
    if any(not _tells(how, posting.key, item) for item in items):
        wanted = ", ".join(how.same) or "our key"
        raise ApiAnswerUnusable(f"an item that GET {how.path} found has no {wanted}", do="see `look_up.same`")
    alike = tuple(i for i in items if not differences(how.same, values, i))
    return Found(alike=alike, other=tuple(i for i in items if i not in alike))


def values_of(posting: Sent) -> dict[str, Any]:
    """Return the fields of a posting's body, and its key."""
    body = json.loads(posting.body)
    return {**(body if isinstance(body, dict) else {}), "key": posting.key}


def _tells(how: LookUp, key: str, item: Mapping[str, Any]) -> bool:
    """Whether an item has what tells ours from others: the fields in `same`, or else our key."""
    return set(how.same) <= set(item) if how.same else key in item.values()


def _items(answer: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(answer, dict) and "items" in answer:
        answer = answer["items"]
    found = [answer] if isinstance(answer, dict) else answer or ()
    if not isinstance(found, list | tuple) or not all(isinstance(item, dict) for item in found):
        raise ApiAnswerUnusable("what a look-up found is no object and no list of objects")
    return [item for item in found if item]


def differences(same: Sequence[str], posted: Mapping[str, Any], item: Mapping[str, Any]) -> list[str]:
    """Return which fields of an item are not as they were posted: amounts by value, all else by its text."""
    return [name for name in same if name not in item or not _equal(posted.get(name), item[name])]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or None in (one, other):
        return one is other
    texts = str(one), str(other)
    if all(_AMOUNT.fullmatch(text) for text in texts):
        return Decimal(texts[0]) == Decimal(texts[1])
    return texts[0] == texts[1]


def found_out(found: Found) -> Verdict | None:
    """Say what a look-up makes of a posting; None: the API has it not, and it may be sent."""
    if len(found.alike) == 1:
        told = f"found by look-up: {json.dumps(found.alike[0], ensure_ascii=False)}"
        return Verdict(state=PostingState.DONE, told=clean(told))
    if found.alike:
        return Verdict(state=PostingState.DEAD, told=f"the API has it {len(found.alike)} times")
    if found.other:
        told = f"the API has another in its place: {json.dumps(found.other[0], ensure_ascii=False)}"
        return Verdict(state=PostingState.DEAD, told=clean(told))
    return None
