"""All payments against all open invoices, one after the other in an order of their own.

A run decides as if the payments came one by one: by booking day, those that name something first, then by their
identity; reversals last of a day. So neither the order of the arguments nor how payments are spread over runs in that
order changes a decision. Plain cases are taken out at once, and given up again where an earlier payment comes first.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Context, localcontext
from itertools import islice

import polars as pl

from import_project.matching.frames import payments_of
from import_project.matching.memory import Earlier, Memory, Nothing, Use
from import_project.matching.naming import WIDTHS, Names, widths
from import_project.matching.open_items import OpenItems, Order, Plain
from import_project.matching.plain import PLAIN, plain
from import_project.matching.references import normal, pieces
from import_project.matching.reversals import Earliers, take_back
from import_project.matching.rule import Case, Part, Refused, Rule, Settled, allocation, refused
from import_project.matching.rules import reference, similar_name
from import_project.matching.unmatched import why
from import_project.records.payments import FREE_TEXT, Allocation, Match, Payment, UnmatchedReason

#: Enough for sums of any amounts that a frame can hold.
_EXACT = Context(prec=60)
#: Of payments of one payer that wait, only so many of the latest are looked at.
MOST_WAITING = 100
_MOVED, _NO_RULE = ("moved", 1), ("none", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A feed's rules in their order, how widely references are read, and the check digits its references carry."""

    chosen: tuple[Rule, ...]
    widths: tuple[str, ...] = WIDTHS
    check_digits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The decisions: plain cases as a frame (`row` of the payments, `invoice_id`, `amount`), all settled in full by the
    rule `reference`; the others one by one, in order. `later` are new decisions about payments that waited, or were
    decided before and are taken back now."""

    plain: pl.DataFrame
    matches: tuple[Match, ...]
    later: tuple[Match, ...] = ()


def decide(payments: pl.DataFrame, invoices: pl.DataFrame, rules: Rules, memory: Memory | None = None) -> Decided:
    """Decide about every payment (`TO_MATCH`) with these invoices (`OPEN_INVOICES`, each once, less what is taken)."""
    first = rules.chosen[0].name == reference.NAME and rules.widths[0] == WIDTHS[0]
    found = plain(payments, invoices) if first else pl.DataFrame(schema=PLAIN)
    others = pl.repeat(value=True, n=payments.height, dtype=pl.Boolean, eager=True).scatter(found["row"], values=False)
    rest = payments.filter(others)
    with localcontext(_EXACT):
        return _Run(payments, invoices, rules, memory or Nothing(), found).decided(list(payments_of(rest)))


def order_of(payment: Payment) -> Order:
    """Return what payments are sorted by."""
    phase = 2 if payment.reversal else 0 if any(r.source != FREE_TEXT for r in payment.references) else 1
    return (payment.booking_date.toordinal(), phase, payment.payment_id)


class _Run:
    def __init__(
        self, payments: pl.DataFrame, invoices: pl.DataFrame, rules: Rules, memory: Memory, found: pl.DataFrame
    ) -> None:
        self._payments, self._invoices, self._rules, self._memory = payments, invoices, rules, memory
        self._found = found
        self._given_up: set[int] = set()
        self._matches: dict[str, Match] = {}
        self._later: dict[str, Match] = {}
        self._earlier = Earliers()
        self._waiting: defaultdict[str, dict[str, Payment]] = defaultdict(dict)
        self._own: set[str] = set()

    def decided(self, rest: list[Payment]) -> Decided:
        """Go through what is no plain case, and what is given up of those."""
        if rest:
            self._go_through(rest)
        left = self._found.filter(~pl.col("row").is_in(list(self._given_up))) if self._given_up else self._found
        ids, amounts = self._invoices["invoice_id"].gather(left["item"]), self._payments["amount"].gather(left["row"])
        frame = left.select("row").with_columns(ids, amounts)
        return Decided(plain=frame, matches=tuple(self._matches.values()), later=tuple(self._later.values()))

    def _go_through(self, rest: list[Payment]) -> None:
        self._own = {p.payment_id for p in rest}
        self._plain = self._plain_by_item()
        self._items = OpenItems(self._invoices, self._memory, plain=self._plain)
        self._proposes = any(r.name == similar_name.NAME for r in self._rules.chosen)
        self._items.expect(rest, amounts=self._proposes)
        self._expect_plain()
        self._remember(rest)
        queue = [(order_of(p), p) for p in rest]
        heapq.heapify(queue)
        while queue:
            self._items.at, payment = heapq.heappop(queue)
            match = self._match(payment)
            self._matches[payment.payment_id] = match
            if not payment.reversal:
                known = Earlier(payment=payment, allocations=match.allocations, unapplied=match.unapplied)
                self._earlier.add(known)
            for given_up in self._give_up(match):
                heapq.heappush(queue, (order_of(given_up), given_up))

    def _remember(self, rest: Sequence[Payment]) -> None:
        """Ask for what earlier runs leave about these payments."""
        if reversals := [p for p in rest if p.reversal and p.booked]:
            self._know_plain_payments()
            for one in self._memory.earlier(reversals):
                self._earlier.add(one)
        if any(rule.waits for rule in self._rules.chosen):
            accounts = {normal(p.payer_account) for p in rest if p.payer_account} - {""}
            for payment in sorted(self._memory.waiting(accounts), key=order_of):
                self._keep_waiting(payment)

    def _expect_plain(self) -> None:
        """Of plain cases that may have to be given up, what they name beside and who pays is looked up at once."""
        known = [item for item in self._plain if self._items.known(item)]
        rows = self._found.filter(pl.col("item").is_in(known))["row"]
        if rows.len():
            columns = self._payments.select("references", "payer_account")[rows]
            texts = columns["references"].explode().struct.field("text").drop_nulls().unique()
            accounts = columns["payer_account"].drop_nulls().unique()
            self._items.include([t for text in texts for t in (text, *pieces(text))], accounts)

    def _plain_by_item(self) -> dict[int, Plain]:
        columns = ("payment_id", "booking_date", "amount", "payer_account")
        placed = self._payments.select(columns)[self._found["row"]].with_columns(self._found["item"])
        return {
            item: Plain(
                order=(day.toordinal(), 0, name), use=Use(payment_id=name, amount=amount, payer_account=account)
            )
            for item, name, day, amount, account in placed.select("item", *columns).iter_rows()
        }

    def _know_plain_payments(self) -> None:
        """A reversal may take back a plain case: make those known that have an equal amount the other way."""
        amounts = -self._payments.filter(pl.col("reversal"))["amount"].unique()
        placed = self._payments[self._found["row"]].with_columns(self._found["item"])
        rows = placed.filter(pl.col("amount").is_in(amounts.implode()))
        names = self._invoices["invoice_id"]
        for payment, item in zip(payments_of(rows), rows["item"], strict=True):
            whole = Allocation(
                invoice_id=names[item], amount=payment.amount, settles=payment.amount, residual=payment.amount * 0
            )
            self._earlier.add(Earlier(payment=payment, allocations=(whole,)))

    def _give_up(self, match: Match) -> Iterable[Payment]:
        """A plain case whose invoice an earlier payment took is a case like any other."""
        for one in match.allocations:
            item = self._items.item_of(one.invoice_id)
            if item is None or item not in self._plain or not self._items.later_plain(item):
                continue
            row = self._found.filter(pl.col("item") == item)["row"]
            self._given_up.update(row)
            self._plain.pop(item)
            payments = list(payments_of(self._payments[row]))
            self._items.expect(payments, amounts=self._proposes)
            yield from payments

    def _match(self, payment: Payment) -> Match:
        if not payment.booked:
            return refused(payment, _MOVED, UnmatchedReason.NOT_BOOKED, "the bank has not booked it")
        if payment.reversal:
            return self._reverse(payment)
        if payment.amount == 0:
            return refused(payment, _MOVED, UnmatchedReason.AMOUNT_MISMATCH, "it moves no money")
        at_widths = widths(payment, self._items, self._rules.widths, self._rules.check_digits)
        names = at_widths[-1]
        payer = normal(payment.payer_account or "")
        latest = islice(reversed(self._waiting[payer].values()), MOST_WAITING) if payer else ()
        waiting = list(latest)[::-1]
        for rule in self._rules.chosen:
            for seen in at_widths if rule.reads_names else (names,):
                answer = rule.decide(Case(payment=payment, names=seen, items=self._items, waiting=waiting))
                if isinstance(answer, Settled):
                    return self._settle(payment, rule, answer)
                if isinstance(answer, Refused):
                    return self._refuse(payment, names, (rule.name, rule.version), answer)
        return self._refuse(payment, names, _NO_RULE, why(payment, names, self._items))

    def _settle(self, payment: Payment, rule: Rule, answer: Settled) -> Match:
        for other, parts in answer.others:
            again = self._allocated(other, rule, parts, answer)
            (self._matches if other.payment_id in self._own else self._later)[other.payment_id] = again
            self._earlier.add(Earlier(payment=other, allocations=again.allocations))
            self._waiting[normal(other.payer_account or "")].pop(other.payment_id, None)
        return self._allocated(payment, rule, answer.parts, answer, unapplied=answer.unapplied)

    def _allocated(
        self, payment: Payment, rule: Rule, parts: Sequence[Part], answer: Settled, *, unapplied: object = None
    ) -> Match:
        allocations = []
        for part in parts:
            one = allocation(self._items, part)
            self._items.use(part.item, one, payment)
            allocations.append(one)
        return Match(
            payment=payment,
            rule=rule.name,
            rule_version=rule.version,
            allocations=tuple(allocations),
            unapplied=answer.unapplied if unapplied is not None else answer.unapplied * 0,
            evidence=answer.evidence,
        )

    def _refuse(self, payment: Payment, names: Names, by: tuple[str, int], said: Refused) -> Match:
        """A payment that names nothing waits for others of its payer, unless it is a tie."""
        match = refused(payment, by, said.reason, said.evidence, said.rivals)
        named = names.says_something or names.unknown or said.reason is UnmatchedReason.AMBIGUOUS
        if named or not normal(payment.payer_account or ""):
            return match
        self._keep_waiting(payment)
        return replace(match, waits=True)

    def _keep_waiting(self, payment: Payment) -> None:
        self._waiting[normal(payment.payer_account or "")][payment.payment_id] = payment

    def _reverse(self, payment: Payment) -> Match:
        match, again = take_back(payment, self._earlier, self._items)
        if again is not None:
            earlier = again.payment
            (self._matches if earlier.payment_id in self._own else self._later)[earlier.payment_id] = again
            self._waiting[normal(earlier.payer_account or "")].pop(earlier.payment_id, None)
        return match
