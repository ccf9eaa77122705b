"""The parts that every kind is put together from: invoices, their payments, and the texts that name them.

`Cases` is what a kind is handed. It also tells whether a text names the right invoices and no others.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from import_project.records.payments import Invoice, Payment, Reference
from import_project_tests.matching.labelled_maker import SERIES, UMLAUTS, Customer, Maker, Truth
from import_project_tests.matching.labelled_numbers import core, fits, names, neighbours, readings

CANDIDATE = re.compile(r"\b(?:RF[0-9]{2}[0-9A-Z]{1,21}|(?:[A-Za-z]{1,8}[-/]?)?[0-9][0-9/-]{2,23}[0-9])\b")
MANY = (
    ("Fakt ", ", ", " och "),
    ("", " ", " "),
    ("Rechnungen ", ", ", " u. "),
    ("Laskut ", "; ", " ja "),
    ("", "+", "+"),
)


def ref(text: str, source: str = "reference", amount: Decimal | None = None) -> Reference:
    """A reference."""
    return Reference(text=text, source=source, amount=amount)


class Cases(Maker):
    """Makes the parts that cases are put together from."""

    def invoice(self, amount: Decimal, customer: Customer, **fields: Any) -> Invoice:
        """An open invoice, due about `when`, the day of its payment."""
        when = fields.pop("when", None) or self.when()
        series, checked = fields.pop("series", SERIES), fields.pop("checked", None)
        due = when - timedelta(self.rng.randint(-20, 40))
        given = {"reference": None, "currency": self.rng.choice(("SEK",) * 7 + ("EUR", "NOK")), "due_on": due, **fields}
        given["reference"] = self.number(series, checked=checked) if given["reference"] is None else given["reference"]
        who = {"customer_id": customer.number, "customer_name": customer.name, "payer_accounts": customer.accounts}
        name = f"{self.rng.getrandbits(48):012x}"
        self.invoices.append(Invoice(invoice_id=name, open_amount=amount, **{**who, **given}))
        self.day[name] = when
        return self.invoices[-1]

    def bills(self, customer: Customer, amounts: Iterable[Decimal], **fields: Any) -> list[Invoice]:
        """Invoices in one currency, about one day."""
        fields = {"when": self.when(), "currency": self.rng.choice(("SEK", "SEK", "EUR")), **fields}
        return [self.invoice(x, customer, **fields) for x in amounts]

    def pool(self, amounts: Iterable[Decimal], **fields: Any) -> list[Invoice]:
        """All invoices of a new customer, each due within 30 days of the payment."""
        customer, made = self.customer(known=True), list[Invoice]()
        fields = {"when": self.when(), "currency": self.rng.choice(("SEK", "SEK", "EUR")), **fields}
        for amount in amounts:
            due = fields["when"] - timedelta(self.rng.randint(-20, 25))
            made.append(self.invoice(amount, customer, **{"due_on": due, **fields}))
        return made

    def pooled(self, k: int) -> list[Decimal]:
        """Amounts of which the first k, and no others, make up their sum; sometimes one is a credit note."""
        while True:
            some = [self.amount(3.5) for _ in range(self.rng.randint(k, 7))]
            some += [-self.amount(3.5)] * (self.rng.random() < 0.25)
            if fits(some, sum(some[:k], Decimal(0))) == [tuple(range(k))]:
                return some

    def stranger(self) -> dict[str, Any]:
        """A payer who is nobody's customer."""
        return {"payer_name": self.printed(self.name()), "payer_account": self.rng.choice((None, self.account()))}

    def payer(self, invoice: Invoice) -> dict[str, Any]:
        """The customer as the bank names it."""
        accounts = invoice.payer_accounts or (None, self.account())
        return {"payer_name": self.printed(invoice.customer_name or ""), "payer_account": self.rng.choice(accounts)}

    def printed(self, name: str) -> str:
        """The name as a bank writes it."""
        name = name.translate(UMLAUTS) if self.rng.random() < 0.3 else name
        return (name.upper() if self.rng.random() < 0.4 else name)[: self.rng.choice((35, 70))]

    def case(self, kind: str, *bills: Invoice, **fields: Any) -> Payment:
        """A payment of the bills by their customer with a reference to each, unless fields say otherwise.

        `settles` None says that nothing may be matched; `hard` that it need not be.
        """
        refs = [ref(x.reference, "extra_reference" if i else "reference") for i, x in enumerate(bills)]
        settles = fields.pop("settles", {x.invoice_id: x.open_amount for x in bills})
        automatic = not fields.pop("hard", False) and settles is not None
        digest, end = (f"{self.rng.getrandbits(64):016x}" for _ in range(2))
        made = Payment(
            **{
                "payment_id": sha256(f"{digest} {len(self.payments)}".encode()).hexdigest(),
                "row_number": 0,
                "account": self.rng.choice(self.ours),
                "currency": bills[0].currency,
                "amount": sum(x.open_amount for x in bills),
                "booking_date": self.day.get(bills[0].invoice_id, self.start),
                "references": tuple(refs),
                "end_to_end_id": self.rng.choice((None, end)),
                "bank_reference": self.rng.choice((None, digest.upper())),
                **self.payer(bills[0]),
                **fields,
            }
        )
        self.payments.append(made)
        self.truth[made.payment_id] = Truth(kind=kind, settles=settles, automatic=automatic)
        return made

    def one(self, kind: str, amount: Decimal, paid: Decimal | None = None, **fields: Any) -> Invoice:
        """A bill of the amount, and its payment; what `keeps` says is a credit of the payer."""
        bill = self.invoice(amount, self.shared(known=fields.pop("known", False)), **fields.pop("bill", {}))
        paid, keeps = amount if paid is None else paid, fields.pop("keeps", Decimal(0))
        settles = None if fields.pop("never", False) else {bill.invoice_id: paid - keeps}
        payer = self.stranger() if fields.pop("stranger", False) else {}
        self.case(kind, bill, amount=paid, settles=settles, **payer, **fields)
        return bill

    def safe(self, refs: Sequence[Reference], listed: Sequence[str] = ()) -> bool:
        """Whether the references name all that is listed and nothing else; nor will they name a later invoice."""
        seen = {x for r in refs for x in readings(r.text)}
        found = {self.owner[x] for x in seen if x in self.owner}
        if safe := found == set(listed) and not any(x in self.parts for x in seen):
            self.blocked |= {x for x in seen if x not in self.owner}
        return safe

    def text(self, shape: str, bills: Sequence[Invoice]) -> tuple[Reference, ...]:
        """What the reader finds in a remittance text."""
        r, (head, sep, last) = self.rng, self.rng.choice(MANY)
        while True:
            numbers = [x.reference for x in bills]
            joined = last.join([sep.join(numbers[:-1]), numbers[-1]]) if len(bills) > 1 else numbers[0]
            paid = (self.start - timedelta(r.randint(0, 40))).strftime(r.choice(("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y")))
            said = head * (len(bills) > 1) + r.choice(shape.split("|")).format(
                f=joined, d=paid, k=bills[0].customer_id, n=bills[0].customer_name
            )
            refs = tuple(ref(x, "free_text") for x in dict.fromkeys(CANDIDATE.findall(said)))
            if self.safe(refs, numbers):
                return refs

    def noise(self) -> tuple[Reference, ...]:
        """Mostly no reference, sometimes a date."""
        day = f"{self.start - timedelta(self.rng.randint(0, 40))}"
        refs = (ref(day, "free_text"),)
        return refs if self.rng.random() < 0.1 and self.safe(refs) else ()

    def unknown(self, text: str, near: Sequence[str] = ()) -> bool:
        """Whether a reference means nothing, and is nearly right for none but those near. It stays so."""
        n = core(text)
        around = neighbours(n) | {n[:-1], n[:-2]}
        seen = readings(text) | names(n or "0")
        free = len(n) > 4 and not any(x in y for x in seen for y in (self.owner, self.parts, self.blocked))
        if free := free and {self.owner[x] for x in around if x in self.owner} == set(near):
            self.blocked |= {x for x in (*seen, *around) if x not in self.owner}
        return free

    def mistyped(self, reference: str) -> str:
        """The reference with one wrong digit, or two neighbours swapped."""
        places = [i for i, c in enumerate(reference) if c.isdigit() and i and reference[i - 1].isdigit()]
        i, new = self.rng.choice(places), list(reference)
        if self.rng.random() < 0.4:
            new[i - 1 : i + 1] = reversed(new[i - 1 : i + 1])
        else:
            new[i] = self.rng.choice("0123456789".replace(new[i], ""))
        return "".join(new)
