"""Entries as units with their plans, each worked out once for a shape, and forms of the shapes that come often. No
meaning of any value."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from import_project.errors import Unreadable
from import_project.formats.iso20022.elements import Element, each
from import_project.formats.iso20022.entries import Transaction, Unit
from import_project.formats.iso20022.forms import as_written, counted, parted
from import_project.formats.iso20022.plans import EntryPlan, TransactionPlan, entry_plan, transaction_plan
from import_project.formats.iso20022.shapes import Key, shape_of

_MOST = 2_000  # plans that are kept: a file of ever new shapes must not fill the memory
_OFTEN = 3  # times that a shape is read before a form is made of it
_FORMS = 12

#: Transactions that stood behind each other and were taken out of the text, or the XML of one that was not.
Taken = list[Transaction] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The pattern of entries or transactions of one shape; their plans, whose places are those of its groups."""

    pattern: re.Pattern[str]
    entry: EntryPlan | None
    transactions: list[TransactionPlan]
    counts: Sequence[int]

    def unit(self, fitting: re.Match[str]) -> Unit:
        """Return the entry that fits."""
        assert self.entry is not None
        told = (*fitting.groups(), None)
        transactions = [Transaction(plan=plan, told=told) for plan in self.transactions]
        return Unit(plan=self.entry, told=told, transactions=transactions, counts=self.counts, written=fitting)

    def transaction(self, fitting: re.Match[str]) -> Transaction:
        """Return the transaction that fits."""
        return Transaction(plan=self.transactions[0], told=(*fitting.groups(), None), written=fitting)


class Units:
    """Makes units of elements, and keeps plans and forms."""

    def __init__(self) -> None:
        self.entry_forms: list[Form] = []
        self.transaction_forms: list[Form] = []
        self._plans: dict[Key, Any] = {}
        self._seen: Counter[tuple[Key, ...]] = Counter()

    def of(self, element: Element, written: str | None = None) -> Unit:
        """Return an entry element as a unit; `written` is the text it was read from."""
        key, texts, inside = shape_of(element, without="TxDtls")
        read = [shape_of(t) for t in inside]
        if written is not None and self._often(key, *(k for k, _, _ in read)):
            self._learn(element, written, self.entry_forms)
        unit = self._unit(key, texts, element)
        if written is not None:
            unit.written = written
        unit.transactions = [self._transaction(k, t) for k, t, _ in read]
        return unit

    def batch(self, element: Element, taken: Sequence[Taken]) -> Unit:
        """Return an entry element as a unit whose first transactions are taken."""
        key, texts, inside = shape_of(element, without="TxDtls")
        if len(inside) < len(taken):
            raise Unreadable("the transactions of an entry stand in one another")
        unit = self._unit(key, texts, element)
        stands_for: dict[Element, int] = {}
        for transaction, known in zip_longest(inside, taken):
            found = known if isinstance(known, list) else [self._read(transaction, known)]
            unit.transactions += found
            stands_for[transaction] = len(found)
        unit.counts = [sum(stands_for[t] for t in each(d, "TxDtls")) for d in each(element, "NtryDtls")]
        return unit

    def _read(self, element: Element, written: str | None) -> Transaction:
        key, texts, _ = shape_of(element)
        if written is not None and self._often(key):
            self._learn(element, written, self.transaction_forms)
        transaction = self._transaction(key, texts)
        transaction.written = written
        return transaction

    def _often(self, *keys: Key) -> bool:
        """Count a shape, and tell whether to make a form of it now: where one was made and does not fit, ever more
        rarely."""
        if len(self._seen) > _MOST:
            self._seen.clear()
        self._seen[keys] += 1
        times, rest = divmod(self._seen[keys], _OFTEN)
        return rest == 0 and times & (times - 1) == 0

    def _learn(self, element: Element, xml: str, forms: list[Form]) -> None:
        """Make a form, if the text says just what the parser read."""
        found = as_written(xml)
        if found is None or (found.key, found.texts) != shape_of(element)[:2]:
            return
        if any(form.pattern == found.pattern for form in forms):
            return  # it was made while this one was on its way to the parser
        (outer, places), inner = parted(found.key, "TxDtls")
        whole = forms is self.entry_forms
        form = Form(
            pattern=found.pattern,
            entry=entry_plan(outer, places) if whole else None,
            transactions=[transaction_plan(key, of_key) for key, of_key in inner],
            counts=counted(found.key, "NtryDtls", "TxDtls") if whole else (),
        )
        forms.insert(0, form)
        del forms[_FORMS:]

    def _unit(self, key: Key, texts: list[str], element: Element) -> Unit:
        plan: EntryPlan = self._plan(key, entry_plan)
        counts = [sum(1 for _ in each(d, "TxDtls")) for d in each(element, "NtryDtls")]
        told = (*texts, None)
        return Unit(plan=plan, told=told, transactions=[], counts=counts, written=element)

    def _transaction(self, key: Key, texts: list[str]) -> Transaction:
        plan: TransactionPlan = self._plan(key, transaction_plan)
        return Transaction(plan=plan, told=(*texts, None))

    def _plan(self, key: Key, make: Any) -> Any:
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST:
                self._plans.clear()
            plan = self._plans[key] = make(key)
        return plan


def fitting(forms: list[Form], text: str, start: int) -> tuple[Form, re.Match[str]] | None:
    """Return the form that fits at a place of the text, and how; it is the first to be tried the next time."""
    for place, form in enumerate(forms):
        found = form.pattern.match(text, start)
        if found is not None:
            if place:
                forms.insert(0, forms.pop(place))
            return form, found
    return None
