"""A ledger that is older than what was done, because it was restored from a backup or began anew: people are told, and
what may have been sent is not simply sent, until a person has accepted the ledger as it is."""

from datetime import datetime

from import_project.errors import ConfigError
from import_project.pipeline.alerts import raise_alert
from import_project.pipeline.parts import Parts
from import_project.posting.doubt import DoubtedBox
from import_project.posting.outbox import Box
from import_project.records.alerts import Alert

#: What is to be done about it.
ACCEPT = "compare with `import-project postings verify`, then `import-project audit accept`"


def box_of(parts: Parts) -> Box:
    """Return the ledger's postings to be sent, all in doubt where acts may be missing."""
    since = tell_older_ledger(parts)
    return parts.ledger.postings if since is None else DoubtedBox(parts.ledger.postings, since)


def tell_older_ledger(parts: Parts) -> datetime | None:
    """Note an alert, once, when acts may be missing; it is sent with those that wait. Returns since when."""
    since = parts.ledger.audit.missing_since()
    if since is not None:
        facts = {"since": since.isoformat()}
        raise_alert(
            parts, (), Alert(key=f"older ledger:{since.isoformat()}", text=f"{in_words(since)}: {ACCEPT}", facts=facts)
        )
    return since


def in_words(since: datetime) -> str:
    """Say what is wrong with the ledger."""
    when = f"since {since:%Y-%m-%d %H:%M:%S} UTC" if since.year > 1970 else "before it began"
    return f"the ledger is older than what was done: what was decided and sent {when} may be missing from it"


def accept(parts: Parts, by: str, note: str) -> datetime:
    """Take a person's word that what is missing was seen to. Returns since when it was. Raises ConfigError when nothing
    is."""
    since = parts.ledger.audit.missing_since()
    if since is None:
        raise ConfigError("nothing is missing from the ledger", do="there is nothing to accept")
    parts.ledger.audit.accept(by, note, parts.clock())
    return since
