"""Why a payment settles nothing, once no rule has an answer: the closed list of reasons, the surest finding first."""

from import_project.matching.invoice_index import MOST_NAMED
from import_project.matching.memory import Use
from import_project.matching.naming import Names, stranger
from import_project.matching.open_items import OpenItems
from import_project.matching.references import normal
from import_project.matching.rule import Refused
from import_project.matching.settling import listed, rival
from import_project.records.payments import Payment, UnmatchedReason


def why(payment: Payment, names: Names, items: OpenItems) -> Refused:
    """Return the reason, its explanation, and the invoices it is about."""
    named = list(names.items)
    if names.crowds:
        told = f"reference {', '.join(names.crowds)} is on more than {MOST_NAMED} invoices"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told)
    if not named:
        return _names_nothing(payment)
    about = tuple(rival(items, [i], f"{items.open(i)} {items.invoice(i).currency} open") for i in named)
    if torn := [i for i in named if items.contradictory(i)]:
        told = f"{listed(items, torn)} is listed more than once, differently"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=about)
    if all(items.invoice(i).currency != payment.currency for i in named):
        currencies = ", ".join(sorted({items.invoice(i).currency for i in named}))
        told = f"{listed(items, named)} is in {currencies}, and no stated rate explains the amount"
        return Refused(reason=UnmatchedReason.CURRENCY_MISMATCH, evidence=told, rivals=about)
    if all(items.open(i) == 0 for i in named):
        return _settled(payment, named, items)
    if foreign := [i for i in named if stranger(payment, items.invoice(i), items)]:
        told = f"{listed(items, foreign)} is named, but the account is known to be another customer's"
        return Refused(reason=UnmatchedReason.AMBIGUOUS, evidence=told, rivals=about)
    opens = ", ".join(f"{items.open(i)} on {items.invoice(i).invoice_id}" for i in named)
    told = f"the payment is {payment.amount} {payment.currency}; open are {opens}"
    if names.unknown:
        told += f"; no open invoice has reference {', '.join(names.unknown)}"
        return Refused(reason=UnmatchedReason.UNKNOWN_REFERENCE, evidence=told, rivals=about)
    return Refused(reason=UnmatchedReason.AMOUNT_MISMATCH, evidence=told, rivals=about)


def _names_nothing(payment: Payment) -> Refused:
    references = list(dict.fromkeys(normal(r.text) for r in payment.references if normal(r.text)))
    if references:
        told = f"no open invoice has reference {', '.join(references[:5])}"
        return Refused(reason=UnmatchedReason.UNKNOWN_REFERENCE, evidence=told)
    return Refused(reason=UnmatchedReason.NO_REFERENCE, evidence="no reference is given, and nothing else proves more")


def _settled(payment: Payment, named: list[int], items: OpenItems) -> Refused:
    uses = [u for i in named for u in items.uses(i)]
    about = tuple(rival(items, [i], "nothing is open") for i in named)
    if twin := next((u for u in uses if paid_twice(payment, u)), None):
        told = f"{listed(items, named)} is paid already, by payment {twin.payment_id[:12]} of the same amount"
        return Refused(reason=UnmatchedReason.DUPLICATE_PAYMENT, evidence=told, rivals=about)
    told = f"{listed(items, named)} has nothing open"
    return Refused(reason=UnmatchedReason.ALREADY_PAID, evidence=told, rivals=about)


def paid_twice(payment: Payment, use: Use) -> bool:
    """Whether an earlier payment of an invoice looks the same: the amount, and the payer as far as both name one."""
    one, other = payment.payer_account, use.payer_account
    return use.amount == payment.amount and (not one or not other or normal(one) == normal(other))
