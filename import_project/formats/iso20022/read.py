"""A file of ISO 20022 messages, entry by entry: what is read is let go, so that memory does not grow with the file."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import NotAllowed, NotRecognised, Unreadable
from import_project.formats.caps import allow_statements
from import_project.formats.iso20022.documents import Document, documents
from import_project.formats.iso20022.elements import Element, local
from import_project.formats.iso20022.entries import Place, Unit, read_entry
from import_project.formats.iso20022.messages import STATUS_REPORT, full_name, message_in, message_of
from import_project.formats.iso20022.statements import Head, Sums, prove, read_head
from import_project.formats.iso20022.status_reports import read_report
from import_project.formats.iso20022.thinned import Found, Inside, Thinned
from import_project.formats.iso20022.units import Units
from import_project.formats.payment_rows import PaymentRows
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue
from import_project.records.statements import Statement

_CONTAINERS = frozenset({"Stmt", "Rpt", "Ntfctn"})
_WATCHED = ("{*}Stmt", "{*}Rpt", "{*}Ntfctn", "{*}Ntry")
_ROWS = 10_000  # payments in a piece


def pieces(content: BinaryIO, *, message: str | None = None) -> Iterator[Piece]:
    """Read `content` piece by piece.

    Raises NotRecognised when it is no camt or pain.002 message, or another one than `message`; Unreadable when it is
    torn, and NotAllowed when it declares a document type. All else that is wrong is an issue: without row and statement
    for the file, with a statement for all its payments, with a row for one payment.
    """
    reader = _Reader(message)
    for document in documents(content):
        if message_in(document.head) == STATUS_REPORT:
            reader.report(document)
        else:
            yield from reader.read(document)
    if reader.name is None:
        raise NotRecognised("the content is no camt.052, camt.053, camt.054 or pain.002 message")
    yield reader.piece()


class _Reader:
    """What was read and not given away yet."""

    def __init__(self, message: str | None) -> None:
        self.name: str | None = None
        self._wanted = message
        self._units = Units()
        self._rows = PaymentRows()
        self._before = 0
        self._number = 0
        self._issues: list[Issue] = []
        self._statements: list[Statement] = []

    def piece(self) -> Piece:
        """Give away what was read."""
        assert self.name is not None
        self._before += len(self._rows)
        frame, issues, statements = self._rows.frame(), issues_frame(self._issues), tuple(self._statements)
        self._issues, self._statements = [], []
        return Piece(format=self.name, frame=frame, issues=issues, statements=statements)

    def read(self, document: Document) -> Iterator[Piece]:
        """Read one document. Its events are those of statements and entries alone."""
        from lxml import etree

        thinned = Thinned(document, self._units)
        safe: Any = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
        events = etree.iterparse(
            thinned, events=("start", "end"), tag=_WATCHED, remove_comments=True, remove_pis=True, **safe
        )
        head: Head | None = None
        sums, place = Sums(), Place(kind="", statement=0, account=None, currency=None, day=None)
        try:
            for event, element in events:
                name = local(element)
                if event == "start":
                    if name in _CONTAINERS and self._begins(element):
                        head, sums = None, Sums()
                        self._number += 1
                        allow_statements(self._number)
                    continue
                parent = element.getparent()
                found = None
                if name == "Ntry" and thinned.found and next(element.iterancestors("{*}Ntry"), None) is None:
                    found = thinned.found.popleft()
                if name == "Ntry" and parent is not None and local(parent) in _CONTAINERS:
                    if head is None:
                        head, place = self._open(parent)
                    for unit in self._found(element, found):
                        place.entry += 1
                        entry = read_entry(unit, place, self._rows, self._before)
                        sums.add(entry, len(unit.transactions) or 1)
                        self._issues += entry.issues
                        if len(self._rows) >= _ROWS:
                            yield self.piece()
                    _let_go(element)
                elif name in _CONTAINERS and (message := message_of(local(parent) if parent is not None else "")):
                    statement, issues = prove(self._number, message, read_head(element), sums)
                    self._statements.append(statement)
                    self._issues += issues
                    _let_go(element)
        except etree.XMLSyntaxError as error:
            raise Unreadable(f"the XML is torn or broken: {error.msg}") from None
        root = events.root
        if root is not None and self.name is None:
            self._name_by(root)

    def report(self, document: Document) -> None:
        """Read a payment status report."""
        from lxml import etree

        self._number += 1
        try:
            name, statement, issues = read_report(document, self._number, self._rows, self._before)
        except etree.XMLSyntaxError as error:
            raise Unreadable(f"the XML is torn or broken: {error.msg}") from None
        self._named(STATUS_REPORT, name)
        self._statements += [statement] if statement else []
        self._issues += issues

    def _begins(self, element: Element) -> bool:
        """Whether a statement of a message begins here; the message is named by the first."""
        parent = element.getparent()
        message = message_of(local(parent)) if parent is not None else None
        if message is None:
            return False
        if element.getroottree().docinfo.internalDTD is not None:
            raise NotAllowed("the XML declares a document type", do="have it sent without <!DOCTYPE>")
        self._named(message, str(parent.nsmap.get(parent.prefix) or ""))
        return True

    def _name_by(self, root: Element) -> None:
        """Name a message that holds no statement at all."""
        for element in (root, *root):
            if message := message_of(local(element)):
                self._named(message, str(element.nsmap.get(element.prefix) or ""))
                self._issues.append(Issue(rule="no_statement", message="the message holds no statement"))
                return

    def _named(self, message: str, namespace: str) -> None:
        if self._wanted is not None and message != self._wanted:
            raise NotRecognised(f"the content is {message}, not {self._wanted}")
        self.name = self.name or full_name(message, namespace)

    def _found(self, element: Element, found: Found | None) -> list[Unit]:
        if isinstance(found, list):
            return found
        return [
            self._units.batch(element, found.taken) if isinstance(found, Inside) else self._units.of(element, found)
        ]

    def _open(self, statement: Element) -> tuple[Head, Place]:
        head = read_head(statement)
        kind = local(statement)
        return head, Place(
            kind=kind, statement=self._number, account=head.account, currency=head.currency, day=head.day
        )


def _let_go(element: Element) -> None:
    """Forget an element that was read: its children now, itself with its earlier siblings of the same name."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)
