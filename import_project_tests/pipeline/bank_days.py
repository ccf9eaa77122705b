"""Days at a bank: payments in camt.053 files, open invoices at the API that shrink as they are paid, and a feed that
matches by all rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from import_project.matching.rules import RULES
from import_project.pipeline.parts import Parts
from import_project.records.decisions import DecidedPayment
from import_project.records.outcomes import Outcome
from import_project_tests.formats.camt_files import document, element, entry, statement, transaction
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer

ALICE, BOB = "SE4550000000058398257466", "DE89370400440532013000"


def paid(
    amount: str,
    *,
    ref: str,
    reference: str = "",
    text: str = "",
    payer: str = "",
    account: str = "",
    end_to_end: str = "",
    day: str = "2026-11-20",
    back: bool = False,
) -> str:
    """Return an entry with one transaction; `ref` is the bank's own."""
    strd = element("Strd", element("CdtrRefInf", element("Ref", reference))) if reference else ""
    told = element("RmtInf", element("Ustrd", text) if text else "", strd) if text or reference else ""
    name = element("Dbtr", element("Nm", payer)) if payer else ""
    iban = element("DbtrAcct", element("Id", element("IBAN", account))) if account else ""
    people = element("RltdPties", name, iban) if name or iban else ""
    reversal = element("RvslInd", "true") if back else ""
    return entry(amount, transaction(amount, people, told, end_to_end=end_to_end), ref=ref, day=day, more=reversal)


def invoice(name: str, reference: str, amount: str, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    """Return an open invoice as the API lists it."""
    return {"invoice_id": name, "reference": reference, "currency": currency, "open_amount": amount, **more}


@dataclass
class Bank:
    """The feed `bankgiro` with camt files, its peers and its parts."""

    installation: Installation
    sftp: SftpPeer
    api: ApiPeer
    parts: Parts
    files: int = 0
    applied: int = 0

    @classmethod
    def open(cls, installation: Installation, sftp: SftpPeer, api: ApiPeer, **match: Any) -> "Bank":
        rules = {"rules": list(RULES), "references": {}} | match
        post = {"credits": "/credits"}
        changed = installation.rewrite(
            "bankgiro", format="sepa", files={"pattern": {"glob": "*.xml"}}, match=rules, post=post
        )
        return cls(installation=changed, sftp=sftp, api=api, parts=changed.parts())

    def drop(self, *entries: str) -> str:
        """Put a file with these entries into the inbox, and return its name."""
        self.files += 1
        name = f"day{self.files}.xml"
        content = document(statement(list(entries), number=str(self.files)))
        (self.sftp.root / "out" / name).write_bytes(content)
        return name

    def bring(self, *entries: str) -> Outcome:
        """Take a file with these entries through all steps."""
        name = self.drop(*entries)
        request = self.installation.poll_until_ready(self.parts, "bankgiro")
        self.installation.run(self.parts, "bankgiro", request)
        self.settle()
        return self.outcome(name)

    def outcome(self, name: str) -> Outcome:
        return next(o for o in self.parts.ledger.outcomes.all() if o.name == name)

    def settle(self) -> None:
        """Let the API's books follow what was posted since."""
        for _, _, body in self.api.effects[self.applied :]:
            for one in self.api.invoices:
                if one["invoice_id"] == body.get("invoice_id"):
                    less = Decimal(body["amount"]) + Decimal(body.get("written_off", 0))
                    one["open_amount"] = str(Decimal(one["open_amount"]) - less)
        self.applied = len(self.api.effects)
        self.installation.clock.advance(seconds=1)

    def payments(self) -> Mapping[str, DecidedPayment]:
        """Return all payments by the bank's reference."""
        return {p.payment.bank_reference or "": p for p in self.parts.ledger.payments.all()}

    def posted(self, kind: str) -> Sequence[dict[str, Any]]:
        """Return the bodies that took effect, by the end of their path."""
        return [body for _, path, body in self.api.effects if path.rstrip("/").endswith(kind)]
