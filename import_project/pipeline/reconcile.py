"""Step 8, second half: match, and freeze every decision with its postings.

A payment is decided once. Run again, or sent again in another file, it keeps its decision, keys and bodies. Only a
payment that names nothing, and about which no person has decided, may be decided again, with others of its payer.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl

from import_project.errors import ConfigError, DecidedMeanwhile
from import_project.frames import DECISIONS
from import_project.matching.decide import Decided, decide
from import_project.matching.frames import TO_MATCH, payments_of
from import_project.matching.rules import reference, several_payments
from import_project.pipeline.decision_drafts import Decision, Listed, drafts, invoice_ids
from import_project.pipeline.freeze import freeze, would_decide
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.identity import ENTRY, entry_subject, subject
from import_project.pipeline.open_invoices import read_invoices, still_open
from import_project.pipeline.remember import LedgerMemory
from import_project.pipeline.retired import as_it_was
from import_project.records.decisions import RULES
from import_project.records.payments import Allocation, Match
from import_project.records.postings import Again, Draft, PostingKind

_MOST_CONTENTIONS = 10


async def reconcile(held: Held) -> Facts:
    """Decide about every accepted payment that is not decided yet, and freeze what follows from it.

    Raises InvoicesStale when the list of open invoices is too old.
    """
    if held.loaded.feed.match is None:
        raise ConfigError("the feed has no key match")
    if held.retired:
        return as_it_was(held)
    accepted = held.parts.tables.read(held.feed, "accepted", held.sha256)
    named = accepted.with_columns(payment_id=pl.Series([subject(i) for i in accepted["identity"]], dtype=pl.String))
    ledger = held.parts.ledger.decisions
    for _ in range(_MOST_CONTENTIONS):
        before = ledger.decided(held.feed, named["payment_id"].to_list())
        fresh = named.filter(~pl.col("payment_id").is_in(list(before))) if before else named
        made: Iterable[Draft] = ()
        causes: Iterable[Draft] = ()
        again: tuple[Again, ...] = ()
        taken = None
        if fresh.height:
            stored, since = read_invoices(held)
            taken = ledger.taken(held.loaded.target, since=since)
            memory = LedgerMemory(held.parts.ledger, held.feed, held.loaded.target)
            invoices = still_open(stored, taken.of)
            new = _not_known_by_entry(held, fresh)
            decided = decide(new, invoices, held.loaded.rules, memory)
            listed = {**memory.invoices, **_listed(invoices, decided)}
            work = _Work(held=held, decided=decided, memory=memory, invoices=listed, fresh=new)
            known = fresh.join(new.select("payment_id"), on="payment_id", how="anti")
            made, causes, again = chain(work.drafts(), _repeated(known)), work.causes(), work.again()
        if held.parts.dry_run:
            return would_decide(held, accepted, chain(made, causes), again)
        with contextlib.suppress(DecidedMeanwhile):
            decisions = freeze(held, accepted, made, taken=taken, again=again, causes=causes)
            held.parts.tables.write(held.feed, DECISIONS, held.sha256, decisions)
            facts: dict[str, int | str] = dict(decisions.group_by("kind").len().sort("kind").iter_rows())
            return facts | ({"decided again": len(again)} if again else {})
    raise DecidedMeanwhile(f"other runs matched {_MOST_CONTENTIONS} times in between", do="the next try goes on")


def _not_known_by_entry(held: Held, payments: pl.DataFrame) -> pl.DataFrame:
    """Leave out payments whose entry was decided the other way, as a whole or by its details: they are repeated, and
    what repeats is no ground for a decision."""
    named = [entry_subject(row) for row in payments.select(ENTRY).iter_rows(named=True)]
    known = held.parts.ledger.decisions.entries(held.feed, [name for name in named if name])
    lumps = payments["lump"].fill_null(value=False)
    keep = [name not in known or known[name] == lump for name, lump in zip(named, lumps, strict=True)]
    return payments.filter(pl.Series(keep, dtype=pl.Boolean))


def _repeated(payments: pl.DataFrame) -> Iterator[Draft]:
    """Yield drafts of repeated payments, of which the ledger notes only what they are the same as."""
    for row, beside in zip(payments.select("payment_id", "row_number").iter_rows(), _beside(payments), strict=True):
        name, number = row
        entry = {"entry": beside["entry"], "lump": beside["lump"]}
        yield Draft(
            subject=name,
            part=0,
            kind=PostingKind.UNMATCHED,
            row_number=number,
            path="",
            body="",
            repeated=True,
            **entry,
        )


def _beside(payments: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield what decisions carry beside each payment: the remittance text, and the bank's entry."""
    for row in payments.select("remittance", *ENTRY).iter_rows(named=True):
        yield {"remittance": row["remittance"], "entry": entry_subject(row), "lump": bool(row["lump"])}


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
    fresh: pl.DataFrame

    def drafts(self) -> Iterator[Draft]:
        """Yield the drafts of this file's payments, but for the `causes`."""
        plain = self.decided.plain.sort("row")
        rows = self.fresh[plain["row"]]
        for match, beside in zip(_plain_matches(rows, plain["invoice_id"]), _beside(rows), strict=True):
            yield from self._drafts(match, **beside)
        causing = self._causing()
        yield from self._of(m for m in self.decided.matches if m.payment.payment_id not in causing)

    def causes(self) -> Iterator[Draft]:
        """Yield the drafts of payments from which new decisions about others follow: they are kept together."""
        causing = self._causing()
        return self._of(m for m in self.decided.matches if m.payment.payment_id in causing)

    def again(self) -> tuple[Again, ...]:
        """Return new decisions about payments of earlier files."""
        taken_back = {m.reverses: m.payment.payment_id for m in self.decided.matches if m.reverses is not None}
        found = []
        for match in self.decided.later:
            known = self.memory.looked_at[match.payment.payment_id]
            if known.decided_by != RULES:
                continue  # a person's decision stays; what takes it back says so
            by = taken_back.get(match.payment.payment_id)
            made = tuple(self._drafts(match, remittance=known.remittance, taken_back_by=by))
            found.append(Again(drafts=made, changes=known.changes))
        return tuple(found)

    def _causing(self) -> set[str]:
        """Those that take others back, those that settle together, and what else is decided about the same invoices:
        in one transaction, in the order of the decisions."""
        kept = [m for m in self.decided.matches if m.reverses is not None or m.rule == several_payments.NAME]
        invoices = {a.invoice_id for m in kept for a in m.allocations}
        also = [m for m in self.decided.matches if any(a.invoice_id in invoices for a in m.allocations)]
        return {m.payment.payment_id for m in (*kept, *also)}

    def _of(self, matches: Iterable[Match]) -> Iterator[Draft]:
        wanted = list(matches)
        rows = self.fresh.filter(pl.col("payment_id").is_in([m.payment.payment_id for m in wanted]))
        beside = dict(zip(rows["payment_id"], _beside(rows), strict=True))
        for match in wanted:
            yield from self._drafts(match, **beside[match.payment.payment_id])

    def _drafts(self, match: Match, **beside: Any) -> Iterator[Draft]:
        settings = self.held.loaded.feed.match
        decision = Decision(match=match, edition=settings.edition if settings else "", **beside)
        return drafts(decision, self.held.loaded.feed.post, self.invoices)


def _plain_matches(rows: pl.DataFrame, invoice_ids: pl.Series) -> Iterator[Match]:
    """Yield the plain cases as matches."""
    for payment, invoice_id in zip(payments_of(rows.select(list(TO_MATCH))), invoice_ids, strict=True):
        nothing = payment.amount * 0
        whole = Allocation(invoice_id=invoice_id, amount=payment.amount, settles=payment.amount, residual=nothing)
        yield Match(
            payment=payment,
            rule=reference.NAME,
            rule_version=reference.VERSION,
            allocations=(whole,),
            evidence=f"invoice {invoice_id}: its reference, and what is open",
        )
