"""Entries of the audit log and how each is chained to the one before. Where they are kept is the ledger's business."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

#: What stands in for the hash before the first entry.
FIRST = "0" * 64


class Act(StrEnum):
    """What was done: the log begun, decided, sent to the API, answered, told by a person, done at the front desk, rows
    corrected by a person, or an older ledger accepted."""

    BEGUN = "begun"
    DECIDED = "decided"
    SENT = "sent"
    ANSWERED = "answered"
    BY_HAND = "by_hand"
    DESK = "desk"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: `sha256` is the file it is about, `done_by` a run or a person, `facts` JSON, `at` aware UTC."""

    number: int
    at: datetime
    what: Act
    feed: str
    sha256: str
    done_by: str
    facts: str
    hash: str = ""

    def chained(self, before: str) -> str:
        """Return the hash over this entry and the hash of the one before: SHA-256 in hexadecimal."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        told = [before, self.number, at, self.what, self.feed, self.sha256, self.done_by, self.facts]
        return digest(json.dumps(told, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a ledger's log had come: number, hash and time (aware UTC) of an entry. `ledger` is its first entry's
    hash, which no other ledger has."""

    ledger: str
    number: int
    hash: str
    at: datetime


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


def request_digest(method: str, path: str, body: str) -> str:
    """Return the digest of what a posting says to the API: the log holds no customer's row."""
    return digest("\n".join((method, path, body)))


def as_facts(facts: Mapping[str, Any]) -> str:
    """Write facts as JSON, keys in order."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
