"""The groups `import-project postings` and `import-project audit`: their commands and options. Their work is in
`postings` and `audit`."""

import click

from import_project.cli.options import FEED, JSON
from import_project.records.postings import PostingState

_STATES = click.Choice([state.value for state in PostingState])
_BY = click.option("--by", help="Who says so; without it, the user of this machine.")
_NOTE = click.option("--note", default="", help="Why; it is kept in the audit log.")


@click.group()
def postings() -> None:
    """Work with what is posted. POSTING is its number, or the beginning of its key."""


@postings.command("list")
@FEED
@click.option("--state", "states", type=_STATES, multiple=True, help="Only in this state.  [default: all but done]")
@click.option("--file", help="Only of this file, by its name.")
@JSON
def list_them(*, feed: str | None, states: tuple[str, ...], file: str | None, as_json: bool) -> None:
    """List postings that are not done: dead, rejected, or still to be sent."""
    from import_project.cli.postings import list_postings

    list_postings(feed, states, file, as_json=as_json)


@postings.command()
@click.argument("posting")
@JSON
def show(posting: str, *, as_json: bool) -> None:
    """Show POSTING: what is sent where, with which key, what the API said, and what becomes of it."""
    from import_project.cli.postings import show_posting

    show_posting(posting, as_json=as_json)


@postings.command("replay")
@click.argument("names", metavar="POSTING...", nargs=-1)
@FEED
@click.option("--state", type=click.Choice(["dead", "rejected"]), help="Instead: all in this state.")
@click.option("--missing", is_flag=True, help="Instead: all of a feed that are done, and that its API has lost.")
@_BY
@_NOTE
@JSON
def replay_them(
    names: tuple[str, ...],
    *,
    feed: str | None,
    state: str | None,
    missing: bool,
    by: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Send dead or rejected postings again, each with the key it always had; or, for an API that has lost some, what
    `verify` finds missing."""
    from import_project.cli.postings import replay_missing, replay_named

    if missing:
        replay_missing(names, feed, state, by, note, as_json=as_json)
    else:
        replay_named(names, feed, state, by, note, as_json=as_json)


@postings.command()
@click.argument("posting")
@click.option("--as", "state", type=click.Choice(["done", "rejected"]), required=True, help="What became of it.")
@_BY
@_NOTE
@JSON
def settle(posting: str, *, state: str, by: str | None, note: str, as_json: bool) -> None:
    """Say what became of a dead or unknown POSTING, for somebody who has looked: the API has it, or never will.

    Nothing is sent.
    """
    from import_project.cli.postings import settle_named

    settle_named(posting, state, by, note, as_json=as_json)


@postings.command()
@FEED
@click.option("--days", type=click.IntRange(1), help="Only what was decided in the last so many days.")
@JSON
def verify(*, feed: str | None, days: int | None, as_json: bool) -> None:
    """Compare what APIs hold with the ledger, and say what differs. Exits with 1 when anything does."""
    from import_project.cli.postings import verify_postings

    verify_postings(feed, days, as_json=as_json)


@click.group()
def audit() -> None:
    """Work with the log of all decisions and postings."""


@audit.command("verify")
@click.option("--head", help="The hash that an earlier verify told: it must still be in the log.")
@JSON
def verify_log(*, head: str | None, as_json: bool) -> None:
    """Prove that nothing in the log was changed, and that the ledger is as it tells. Exits with 1 if not."""
    from import_project.cli.audit import verify_audit_log

    verify_audit_log(head, as_json=as_json)


@audit.command("list")
@FEED
@click.option("--file", help="Only of this file, by its name.")
@JSON
def list_entries(*, feed: str | None, file: str | None, as_json: bool) -> None:
    """List what was done, when, and by whom."""
    from import_project.cli.audit import list_audit

    list_audit(feed, file, as_json=as_json)


@audit.command("accept")
@click.option("--note", required=True, help="What was looked at; it is kept in the log.")
@_BY
def accept_ledger(*, note: str, by: str | None) -> None:
    """Say that a ledger restored from a backup counts as it is: what was done since was compared and seen to.

    Until then nothing is sent that may have been sent since, unless the API can be asked or still knows the keys.
    """
    from import_project.cli.audit import accept_older_ledger

    accept_older_ledger(by, note)
