"""Proving the audit log: its chain is whole, and what postings say, and their states, are as it tells."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from import_project.pipeline.older_ledger import ACCEPT, in_words
from import_project.pipeline.parts import Parts
from import_project.records.audit import FIRST, Act, Entry, request_digest
from import_project.records.postings import KeptPosting

_MOST_TOLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """How many entries there are, the hash of the last, and what is wrong, in at most a hundred lines."""

    entries: int
    head: str
    problems: tuple[str, ...]


def verify_audit(parts: Parts, head: str | None = None) -> Audited:
    """Go through the whole log, then hold each file's postings against it.

    `head` is the hash of an entry that somebody noted down before: it must still be there. The chain is read as a
    stream; of postings one file's are held at a time.
    """
    log = parts.ledger.audit
    problems, count, last, noted = list[str](), 0, FIRST, False
    for entry in log.entries():
        if entry.number != count + 1:
            problems.append(f"entry {count + 1} is missing")
        if entry.chained(last) != entry.hash:
            problems.append(f"entry {entry.number} is not what was written, or the one before it is not")
        count, last = entry.number, entry.hash
        noted |= last == head
    if since := log.missing_since():
        problems.append(f"{in_words(since)}: {ACCEPT}")
    if not count:
        problems.append("the log has no entry, not even its first")
    if head is not None and not noted:
        problems.append(f"no entry has the hash {head}: the log was cut, or it is another one")
    begun = _begun(log.entries())
    for feed, file in log.files():
        told = list(_file_problems(parts, feed, file, begun))
        if told:  # a run may have gone on in between
            told = list(_file_problems(parts, feed, file, begun))
        problems += told
    return Audited(entries=count, head=last, problems=tuple(problems[:_MOST_TOLD]))


def _begun(entries: Iterable[Entry]) -> int:
    """Return up to which posting the log knows nothing: those were there before it."""
    first = next(iter(entries), None)
    if first is None or first.what is not Act.BEGUN:
        return 0
    return int(json.loads(first.facts)["postings_before"])


def _file_problems(parts: Parts, feed: str, file: str, begun: int) -> Iterator[str]:
    requests, states = dict[str, str](), dict[str, str]()
    for entry in parts.ledger.audit.entries(feed=feed, file=file):
        facts = json.loads(entry.facts)
        if entry.what is Act.DECIDED:
            new = {key: told for one in facts["decisions"] for key, told in one["postings"]}
            requests |= new
            states |= dict.fromkeys(new, "ready")
        elif entry.what is Act.SENT:
            states |= dict.fromkeys(facts["keys"], "sending")
        elif entry.what is Act.ANSWERED:
            states |= {key: state for key, state, *_ in facts["answers"]}
        elif entry.what is Act.BY_HAND:
            states |= dict.fromkeys(facts["keys"], facts["state"])
    for row in parts.ledger.audit.postings(feed, file):
        where = f"{feed}: posting {row.id}"
        request, state = requests.pop(row.key, None), states.get(row.key)
        if request is None and row.id > begun:
            yield f"{where} is not in the log"
        elif request is not None and request != request_digest(row.method, row.path, row.body):
            yield f"{where} is not what was decided: its path or body was changed"
        if state is not None and state != row.state:
            yield f"{where} is {row.state}, the log says {state}"
    for key in requests:
        yield f"{feed}: the posting with the key {key} is gone"


def history(parts: Parts, posting: KeptPosting) -> list[dict[str, Any]]:
    """Return what the log tells of one posting, in order: `at` (aware UTC), `told`, `by`."""
    told = (
        (entry, _of_posting(entry, posting.key))
        for entry in parts.ledger.audit.entries(feed=posting.feed, file=posting.sha256)
    )
    return [{"at": entry.at, "told": what, "by": entry.done_by} for entry, what in told if what is not None]


def _of_posting(entry: Entry, key: str) -> str | None:
    facts = json.loads(entry.facts)
    if entry.what is Act.DECIDED:
        return "decided" if any(key == k for one in facts["decisions"] for k, _ in one["postings"]) else None
    if entry.what is Act.SENT:
        return "sent" if key in facts["keys"] else None
    if entry.what is Act.ANSWERED:
        return next((f"{status or 'no'} answer: {state}" for k, state, status, _ in facts["answers"] if k == key), None)
    if entry.what is Act.BY_HAND and key in facts["keys"]:
        return f"now {facts['state']}" + (f": {facts['note']}" if facts["note"] else "")
    return None
