"""`import-project audit`: the log of all decisions and postings, proved and listed."""

import getpass
import json
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from import_project.cli.installation import installation, named_feed, print_json
from import_project.cli.outcome_table import table_console
from import_project.errors import ConfigError, one_line
from import_project.pipeline.audit import verify_audit
from import_project.pipeline.older_ledger import accept, in_words
from import_project.records.audit import Act, Entry

_MOST_SHOWN = 200


def verify_audit_log(head: str | None, *, as_json: bool) -> None:
    """Print whether the log is whole and the ledger as it tells; exit with 1 if not."""
    with installation() as parts:
        found = verify_audit(parts, head)
    if as_json:
        print_json({"entries": found.entries, "head": found.head, "problems": list(found.problems)})
    else:
        console = table_console()
        for problem in found.problems:
            console.print(Text(one_line(problem), style="red"))
        verdict = (
            f"{len(found.problems):,} problems" if found.problems else "the chain is whole, the ledger is as it tells"
        )
        console.print(f"{found.entries:,} entries: {verdict}", highlight=False)
        console.print(f"head {found.head}", highlight=False, soft_wrap=True)
    if found.problems:
        sys.exit(1)


def accept_older_ledger(by: str | None, note: str) -> None:
    """Take a person's word that what an older ledger lacks was seen to; print since when that is."""
    with installation() as parts:
        since = accept(parts, by or getpass.getuser(), note)
    table_console().print(f"accepted; {in_words(since)}", highlight=False, soft_wrap=True)


def list_audit(feed: str | None, file: str | None, *, as_json: bool) -> None:
    """Print entries in their order: all as JSON, else the newest."""
    if feed is not None:
        named_feed(feed)
    with installation() as parts:
        ids = None
        if file is not None:
            ids = {o.sha256 for o in parts.ledger.outcomes.all(feed) if file in {o.name, o.partition}}
            if not ids:
                raise ConfigError(f"no file {file} has ended", do="see `import-project files`")
        found = (e for e in parts.ledger.audit.entries(feed=feed) if ids is None or e.sha256 in ids)
        if as_json:
            print_json([_plain(e) for e in found])
            return
        count, entries = 0, deque[Entry](maxlen=_MOST_SHOWN)
        for count, entry in enumerate(found, start=1):  # noqa: B007 - counted for what is told below
            entries.append(entry)
    table = Table("entry", "at (UTC)", "what", "feed", "by", "told")
    for e in entries:
        told = Text(_told(e.what, json.loads(e.facts)))
        table.add_row(
            str(e.number), f"{e.at:%Y-%m-%d %H:%M:%S}", e.what, e.feed or "-", Text(one_line(e.done_by)), told
        )
    console = table_console()
    console.print(table)
    if count > _MOST_SHOWN:
        console.print(f"the last {_MOST_SHOWN} of {count:,}: name a --feed or --file, or say --json")


def _plain(entry: Entry) -> dict[str, Any]:
    told = {name: getattr(entry, name) for name in Entry.__slots__}
    return told | {"at": entry.at.isoformat(timespec="microseconds"), "facts": json.loads(entry.facts)}


def _told(what: Act, facts: Mapping[str, Any]) -> str:
    if what is Act.BY_HAND:
        return f"{len(facts['keys'])} now {facts['state']}" + (f": {one_line(facts['note'])}" if facts["note"] else "")
    if what is Act.ANSWERED:
        states = [state for _, state, *_ in facts["answers"]]
        return ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
    if what is Act.SENT:
        return f"{len(facts['keys'])} postings"
    if what is Act.DECIDED:
        kinds = [one["kind"] for one in facts["decisions"]]
        return ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
    return one_line(", ".join(f"{k} {v}" for k, v in facts.items()))
