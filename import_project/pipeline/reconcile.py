"""Step 8, second half: match, and freeze every decision with its postings.

A payment is decided once. Run again, or sent again in another file, it keeps its decision, keys and bodies. Only a
payment that names nothing, and about which no person has decided, may be decided again, with others of its payer.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from import_project.errors import ConfigError, DecidedMeanwhile
from import_project.matching.decide import Decided, decide
from import_project.matching.frames import TO_MATCH, payments_of
from import_project.matching.rules import reference, several_payments
from import_project.pipeline.decision_drafts import Decision, Listed, drafts, invoice_ids
from import_project.pipeline.freeze import freeze
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import ENTRY, entry_subject, subject
from import_project.pipeline.open_invoices import read_invoices, still_open
from import_project.pipeline.remember import LedgerMemory
from import_project.records.payments import Allocation, Match
from import_project.records.postings import Again, Draft

_MOST_CONTENTIONS = 10


async def reconcile(held: Held) -> Facts:
    """Decide about every accepted payment that is not decided yet, and freeze what follows from it.

    Raises InvoicesStale when the list of open invoices is too old.
    """
    if held.loaded.feed.match is None:
        raise ConfigError("the feed has no key match")
    accepted = held.parts.tables.read(held.feed, "accepted", held.sha256)
    named = accepted.with_columns(payment_id=pl.Series([subject(i) for i in accepted["identity"]], dtype=pl.String))
    beside = _beside(named)
    postings = held.parts.ledger.postings
    for _ in range(_MOST_CONTENTIONS):
        before = postings.decided(held.feed, named["payment_id"].to_list())
        fresh = named.filter(~pl.col("payment_id").is_in(list(before))) if before else named
        again: tuple[Again, ...] = ()
        causes, made = set[str](), list[Draft]()
        taken = None
        if fresh.height:
            stored, since = read_invoices(held)
            taken = postings.taken(held.loaded.target, since=since)
            memory = LedgerMemory(held.parts.ledger, held.feed, held.loaded.target)
            invoices = still_open(stored, taken.of)
            decided = decide(fresh, invoices, held.loaded.rules, memory)
            work = _Work(held=held, decided=decided, memory=memory, invoices=_listed(invoices, decided), beside=beside)
            made = list(work.drafts(fresh))
            again, causes = work.again(), work.causes()
        with contextlib.suppress(DecidedMeanwhile):
            decisions = freeze(held, accepted, made, taken=taken, again=again, causes=causes)
            held.parts.tables.write(held.feed, "decisions", held.sha256, decisions)
            facts: dict[str, int | str] = dict(decisions.group_by("kind").len().sort("kind").iter_rows())
            return facts | ({"decided again": len(again)} if again else {})
    raise DecidedMeanwhile(f"other runs matched {_MOST_CONTENTIONS} times in between", do="the next try goes on")


def _beside(named: pl.DataFrame) -> Mapping[str, Mapping[str, Any]]:
    """Return what decisions carry beside the payments, by payment: the remittance text, and the bank's entry."""
    columns = named.select("payment_id", "remittance", *ENTRY)
    return {
        row["payment_id"]: {"remittance": row["remittance"], "entry": entry_subject(row), "lump": bool(row["lump"])}
        for row in columns.iter_rows(named=True)
    }


def _listed(invoices: pl.DataFrame, decided: Decided) -> Mapping[str, Listed]:
    """Return what of the invoices that are settled goes with their postings."""
    wanted = invoice_ids((*decided.matches, *decided.later)) | set(decided.plain["invoice_id"])
    columns = invoices.select("invoice_id", "reference", "currency", "version")
    rows = columns.filter(pl.col("invoice_id").is_in(list(wanted))).iter_rows()
    return {name: Listed(reference=text, currency=currency, version=v) for name, text, currency, v in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What was decided, and what is needed to make drafts of it."""

    held: Held
    decided: Decided
    memory: LedgerMemory
    invoices: Mapping[str, Listed]
    beside: Mapping[str, Mapping[str, Any]]

    def drafts(self, fresh: pl.DataFrame) -> Iterator[Draft]:
        """Yield the drafts of this file's payments; of those that take others back, last."""
        for match in self._plain(fresh):
            yield from self._drafts(match)
        for match in sorted(self.decided.matches, key=lambda m: m.reverses is not None):
            yield from self._drafts(match)

    def again(self) -> tuple[Again, ...]:
        """Return new decisions about payments of earlier files."""
        found = []
        for match in self.decided.later:
            known = self.memory.looked_at[match.payment.payment_id]
            made = self._decision(match, remittance=known.remittance)
            found.append(Again(drafts=tuple(self._made(made)), changes=known.changes))
        return tuple(found)

    def causes(self) -> set[str]:
        """Return the payments from which new decisions about others follow: they are kept together with them."""
        follow = {m.payment.payment_id for m in self.decided.matches if m.reverses is not None}
        if any(m.rule == several_payments.NAME for m in self.decided.later):
            follow |= {m.payment.payment_id for m in self.decided.matches if m.rule == several_payments.NAME}
        return follow

    def _plain(self, fresh: pl.DataFrame) -> Iterator[Match]:
        """The plain cases as matches, in row order."""
        plain = self.decided.plain.sort("row")
        payments = payments_of(fresh.select(list(TO_MATCH))[plain["row"]])
        for payment, invoice_id in zip(payments, plain["invoice_id"], strict=True):
            nothing = payment.amount * 0
            whole = Allocation(invoice_id=invoice_id, amount=payment.amount, settles=payment.amount, residual=nothing)
            yield Match(
                payment=payment,
                rule=reference.NAME,
                rule_version=reference.VERSION,
                allocations=(whole,),
                evidence=f"invoice {invoice_id}: its reference, and what is open",
            )

    def _drafts(self, match: Match) -> Iterator[Draft]:
        yield from self._made(self._decision(match, **self.beside[match.payment.payment_id]))

    def _decision(self, match: Match, **beside: Any) -> Decision:
        settings = self.held.loaded.feed.match
        return Decision(match=match, edition=settings.edition if settings else "", **beside)

    def _made(self, decision: Decision) -> Iterator[Draft]:
        return drafts(decision, self.held.loaded.feed.post, self.invoices)
