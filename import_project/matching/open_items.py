"""Open invoices, found by reference. No decisions."""

from collections.abc import Iterable

from import_project.records.payments import Invoice


def normal(reference: str) -> str:
    """Return a reference in the form in which two are compared: without blanks, in capitals."""
    return "".join(reference.split()).upper()


class OpenItems:
    """Invoices by their normal reference. An empty reference is never found."""

    def __init__(self, invoices: Iterable[Invoice]) -> None:
        self._by_reference: dict[str, list[Invoice]] = {}
        for invoice in invoices:
            if key := normal(invoice.reference):
                self._by_reference.setdefault(key, []).append(invoice)

    def find(self, reference: str) -> list[Invoice]:
        """Return all invoices with this reference; one that is listed twice comes twice."""
        return self._by_reference.get(normal(reference), [])
