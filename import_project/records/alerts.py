"""Alerts: what happened, to which feed and file, under a key by which each is told once."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`text` is one line for a person; `facts` are names and values beside it, such as feed, file, run and link."""

    key: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """An alert that some channels do not have yet; `delivered` are those that do."""

    alert: Alert
    delivered: frozenset[str]
