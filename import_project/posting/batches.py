"""Several postings in one request, and the result of each out of the one answer. Pure; nothing is sent here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from import_project.posting.answers import Reply, nowhere, refuses_us, try_later
from import_project.records.audit import digest
from import_project.records.endpoints import Batch
from import_project.records.postings import Posting

_NO_RESULT = "the answer to the batch has no result for this posting"


def content_of(batch: Batch, some: Sequence[Posting]) -> tuple[str, str]:
    """Return the body of a request for these postings, and its own key, the same for the same postings."""
    items = [{**json.loads(p.body), batch.key: p.key} for p in some]
    whole = items if batch.items is None else {batch.items: items}
    key = "ipb-" + digest("\n".join(p.key for p in some))[:48]
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")), key


def replies_of(batch: Batch, some: Sequence[Posting], reply: Reply) -> list[Reply] | None:
    """Return the reply to each posting; None when the whole request was refused: halves may tell which one is why."""
    status = reply.status
    if status is not None and 200 <= status < 300 and not reply.html:
        return _results(batch, some, reply.text)
    about_request = status is not None and 400 <= status < 500 and not try_later(status) and not refuses_us(status)
    if about_request and not nowhere(status) and len(some) > 1:
        return None
    return [reply] * len(some)


def _results(batch: Batch, some: Sequence[Posting], text: str) -> list[Reply]:
    found = _listed(batch, text)
    keyed = {key: item for item in found if isinstance(key := item.get(batch.key), str)}
    if len(keyed) == len(found) and set(keyed) <= {p.key for p in some}:
        return [_one(batch, keyed.get(p.key)) for p in some]
    if len(found) == len(some) and not any(batch.key in item for item in found):
        return [_one(batch, item) for item in found]
    return [Reply(status=None, text=_NO_RESULT)] * len(some)


def _listed(batch: Batch, text: str) -> list[Mapping[str, Any]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = whole.get(batch.results) if batch.results is not None and isinstance(whole, dict) else whole
    good = isinstance(found, list) and all(isinstance(item, dict) for item in found)
    return found if good and isinstance(found, list) else []


def _one(batch: Batch, item: Mapping[str, Any] | None) -> Reply:
    status = None if item is None else item.get(batch.status)
    if item is None or not isinstance(status, int) or isinstance(status, bool):
        return Reply(status=None, text=_NO_RESULT)
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return Reply(status=status, text=text, item=True)
