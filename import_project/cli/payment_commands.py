"""The group `import-project payments`: its commands and their options. Their work is in `payments`."""

from pathlib import Path

import click

from import_project.cli.options import FEED, FORCE, JSON
from import_project.records.payments import UnmatchedReason


@click.group()
def payments() -> None:
    """Work with payments that were decided about. PAYMENT is the beginning of its id."""


_PAYMENT = click.argument("payment")
_BY = click.option("--by", help="Who decides; without it, the user of this machine.")
_NOTE = click.option("--note", default="", help="Why; it is kept with the decision.")
_REASONS = click.Choice([reason.value for reason in UnmatchedReason])
#: What a person may say; whether a payment was booked or taken back is the bank's to say.
_BY_HAND = click.Choice(
    [r.value for r in UnmatchedReason if r not in {UnmatchedReason.REVERSED, UnmatchedReason.NOT_BOOKED}]
)


@payments.command()
@FEED
@click.option("--reason", type=_REASONS, help="Only those unmatched for this reason.")
@JSON
def unmatched(*, feed: str | None, reason: str | None, as_json: bool) -> None:
    """List the payments that settle nothing, the oldest first."""
    from import_project.cli.payments import list_unmatched

    list_unmatched(feed, reason, as_json=as_json)


@payments.command()
@_PAYMENT
@FEED
@JSON
def explain(payment: str, *, feed: str | None, as_json: bool) -> None:
    """Show what was decided about PAYMENT, by which rule, why, and what stood before."""
    from import_project.cli.payments import explain_payment

    explain_payment(payment, feed, as_json=as_json)


@payments.command("match")
@_PAYMENT
@click.argument("invoices", metavar="INVOICE[=AMOUNT]...", nargs=-1, required=True)
@FEED
@_BY
@_NOTE
@click.option("--credit", is_flag=True, help="Post what is left over as a credit of the payer's.")
@JSON
def match_it(
    payment: str, invoices: tuple[str, ...], *, feed: str | None, by: str | None, note: str, credit: bool, as_json: bool
) -> None:
    """Settle each INVOICE with PAYMENT, in full or with AMOUNT of it, and post that. No rule changes it again."""
    from import_project.cli.payments import match_payment

    match_payment(payment, invoices, feed, by, note, credit=credit, as_json=as_json)


@payments.command("unmatch")
@_PAYMENT
@click.option("--reason", type=_BY_HAND, required=True, help="Why it settles nothing after all.")
@FEED
@_BY
@_NOTE
@JSON
def unmatch_it(payment: str, *, reason: str, feed: str | None, by: str | None, note: str, as_json: bool) -> None:
    """Take back what PAYMENT settles, and post that. No rule changes it again."""
    from import_project.cli.payments import unmatch_payment

    unmatch_payment(payment, reason, feed, by, note, as_json=as_json)


@payments.command("export")
@FEED
@click.option("--all", "everything", is_flag=True, help="Matched ones too.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .csv or .xlsx to write.")
@FORCE
def export_payments(*, feed: str | None, everything: bool, to: Path, force: bool) -> None:
    """Write the unmatched payments, each with its reason and proposals, to a CSV or XLSX file."""
    from import_project.cli.payments import export_them

    export_them(feed, to, everything=everything, force=force)
