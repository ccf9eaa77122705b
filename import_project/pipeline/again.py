"""What a file is that is known in part: its bytes under another name, its name with other bytes. Pure."""

from collections.abc import Sequence
from typing import Literal

from import_project.config.files import Again, Policy
from import_project.records.files import Arrival

Meeting = Literal[
    "new",
    "same_file",
    "new_name_same_bytes",
    "same_name_new_bytes",
    "same_facts_new_bytes",
    "other_feed_same_bytes",
]


def meeting(arrival: Arrival, bringer: Arrival, namesakes: Sequence[Arrival], sha256: str) -> Meeting:
    """Say what a landed file is to those before it.

    `bringer` is the arrival that these bytes are held for, `namesakes` earlier ones under the same name. A file that
    came again whole, name and bytes, is the `same_file`.
    """
    if bringer.id != arrival.id:
        return "same_file" if bringer.name == arrival.name else "new_name_same_bytes"
    others = [a for a in namesakes if a.sha256 != sha256]
    if any(a.facts == arrival.facts for a in others):  # where a store names versions, they are facts too
        return "same_facts_new_bytes"
    return "same_name_new_bytes" if others else "new"


def policy(again: Again, met: Meeting) -> Policy:
    """Return what the feed wants done with such a file; one that came again whole is always skipped."""
    if met == "new":
        return "process"
    if met == "same_file":
        return "skip"
    wanted: Policy | Literal["warn"] = getattr(again, met)
    return "process" if wanted == "warn" else wanted
