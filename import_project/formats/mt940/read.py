"""MT940 and MT942 messages as payments, and the proof that each message adds up: opening and lines give closing (940),
lines give the stated counts and sums (942)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain, pairwise
from typing import BinaryIO

from import_project.errors import NotRecognised
from import_project.formats.mt940.details import details
from import_project.formats.mt940.fields import Field, Message, ends, messages, recognise
from import_project.formats.mt940.lines import UNREADABLE, Balance, Line, balance, stated_sum, statement_line
from import_project.formats.payment_rows import PaymentRows, money
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame
from import_project.records.issues import Issue
from import_project.records.statements import UNKNOWN_CURRENCY, Statement, Total

_ROWS = 20_000
_INTERIM = frozenset({"34F", "13D", "13", "90D", "90C"})
_TOLD = frozenset({"86", "NS"})


def pieces(content: BinaryIO) -> Iterator[Piece]:
    """Read `content` piece by piece.

    Raises NotRecognised when it is no MT940 or MT942. All else that is wrong is an issue: without row and statement for
    the file, with a statement for all its payments, with a row for one payment.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is no MT940 or MT942: no field such as :20: or :25: at its beginning")
    text = decode_nordic(whole_file)
    rows = PaymentRows()
    statements: list[Statement] = []
    issues: list[Issue] = []
    closing, last = ends(text), text.endswith("\n")
    for number, (message, after) in enumerate(pairwise(chain(messages(text), [None])), start=1):
        assert message is not None
        statement, found = _read(number, message, rows)
        if not message.closed and (closing or (after is None and not last)):
            told = "the message has no end: the file is cut off"
            found.append(Issue(rule="torn", message=told, statement=number if statement.payments else None))
        statements.append(statement)
        issues += found
        if len(rows) >= _ROWS:
            yield Piece(format="mt940", frame=rows.frame(), issues=issues_frame(issues), statements=tuple(statements))
            statements, issues = [], []
    yield Piece(format="mt940", frame=rows.frame(), issues=issues_frame(issues), statements=tuple(statements))


@dataclass(slots=True, kw_only=True)
class _Head:
    """What a message says about itself."""

    reference: str | None = None
    account: str | None = None
    sequence: str | None = None
    opening: Balance | None = None
    closing: Balance | None = None
    interim: bool = False
    currency: str = UNKNOWN_CURRENCY
    sums: dict[str, tuple[int, str, int | None] | None] = field(default_factory=dict)

    @property
    def day(self) -> date | None:
        """The statement's day."""
        days = (b.day for b in (self.closing, self.opening) if b)
        return next((d for d in days if d), None)


def _head(message: Message) -> _Head:
    head = _Head()
    for one in message.fields:
        value = one.value.strip()
        match one.tag:
            case "20":
                head.reference = value or None
            case "25" | "25P":
                head.account = value.split("\n")[0].strip() or None
            case "28" | "28C":
                head.sequence = value.split("\n")[0].strip() or None
            case "60F" | "60M":
                head.opening = head.opening or balance(value)
            case "62F" | "62M":
                head.closing = balance(value)
            case "90D" | "90C":
                head.sums[one.tag] = stated_sum(value)
            case "34F" if head.currency == UNKNOWN_CURRENCY and value[:3].isalpha():
                head.currency = value[:3]
        head.interim = head.interim or one.tag in _INTERIM
    stated = [b.currency for b in (head.opening, head.closing) if b and b.currency]
    stated += [s[1] for s in head.sums.values() if s]
    head.currency = stated[0] if stated else head.currency
    return head


def _entries(message: Message) -> Iterator[tuple[Field, list[Field]]]:
    """Yield each `:61:` with the information that follows it; what follows a balance belongs to the statement."""
    line: Field | None = None
    told: list[Field] = []
    for one in message.fields:
        if one.tag == "61":
            if line is not None:
                yield line, told
            line, told = one, []
        elif one.tag in _TOLD and line is not None:
            told.append(one)
        elif line is not None:
            yield line, told
            line, told = None, []
    if line is not None:
        yield line, told


def _read(number: int, message: Message, rows: PaymentRows) -> tuple[Statement, list[Issue]]:
    head = _head(message)
    issues: list[Issue] = []
    count, unreadable = 0, 0
    sums = {True: [0, 0], False: [0, 0]}
    booked = 0
    for one, told in _entries(message):
        line = statement_line(one.value)
        count += 1
        if line is None or line.amount is None:
            unreadable += 1
            why = "no date, mark and amount where a line has them" if line is None else "its amount is none"
            issues.append(Issue(rule="line", message=why, row_number=one.line, column="amount", value=one.value[:80]))
        else:
            sums[line.credit][0] += 1
            sums[line.credit][1] += abs(line.amount)
            booked += 0 if line.expected else line.amount
        _add(rows, head, number, one, told, line)
    whose = number if count else None  # without payments to condemn, it is the file that is wrong
    difference, wrong = _proved(head, count, unreadable, sums, booked)
    name = f"statement {head.sequence or head.reference or number}"
    issues += [Issue(rule=rule, message=f"{name}: {told_}", statement=whose) for rule, told_ in wrong]
    total = Total(
        currency=head.currency, entries=count - unreadable, credit=money(sums[True][1]), debit=money(sums[False][1])
    )
    statement = Statement(
        number=number,
        form="mt942" if head.interim else "mt940",
        account=head.account,
        currency=head.currency,
        identification=head.reference,
        booking_date=head.day,
        payments=count,
        net=money(booked),
        opening=_stated(head.opening),
        closing=_stated(head.closing),
        difference=None if difference is None else money(difference),
        totals=(total,) if count else (),
        sequence=head.sequence,
    )
    return statement, issues


def _stated(stated: Balance | None) -> Decimal | None:
    return None if stated is None or stated.amount is None else money(stated.amount)


def _proved(
    head: _Head, count: int, unreadable: int, sums: dict[bool, list[int]], booked: int
) -> tuple[int | None, list[tuple[str, str]]]:
    """Return closing less opening and lines, and what does not hold."""
    wrong: list[tuple[str, str]] = []
    difference: int | None = None
    if head.account is None:
        wrong.append(("account", "no account (:25:)"))
    if not head.interim:
        for what, tag, stated in (("opening", ":60F:", head.opening), ("closing", ":62F:", head.closing)):
            if stated is None or stated.amount is None:
                wrong.append(("balance", f"no {what} balance ({tag}) that can be read"))
    if unreadable:
        wrong.append(("balance", "it cannot be proved: a line is unreadable"))
    elif head.opening and head.closing and head.opening.amount is not None and head.closing.amount is not None:
        difference = head.closing.amount - head.opening.amount - booked
        if difference:
            told = [f"{m / 100:.2f}" for m in (head.opening.amount, booked, head.closing.amount, difference)]
            message = f"opening {told[0]} and lines {told[1]} do not give closing {told[2]}: difference {told[3]}"
            wrong.append(("balance", message))
    currencies = {b.currency for b in (head.opening, head.closing) if b and b.currency}
    if len(currencies) > 1:
        wrong.append(("balance_currency", f"balances are in {', '.join(sorted(currencies))}"))
    for tag, credit in (("90C", True), ("90D", False)):
        if tag in head.sums and not unreadable:
            wrong += _summed(tag, head.sums[tag], sums[credit])
    if head.interim and head.closing is None and count and not head.sums:
        wrong.append(("sums", "neither :90D: nor :90C: says what the lines come to"))
    return difference, wrong


def _summed(tag: str, stated: tuple[int, str, int | None] | None, found: list[int]) -> Iterator[tuple[str, str]]:
    if stated is None or stated[2] is None:
        yield "sums", f":{tag}: is no count and sum"
    elif [stated[0], stated[2]] != found:
        apart = f"difference {(stated[2] - found[1]) / 100:.2f}"
        told = f"{stated[0]} lines of {stated[2] / 100:.2f}, there are {found[0]} of {found[1] / 100:.2f}: {apart}"
        yield "sums", f":{tag}: states {told}"


def _add(rows: PaymentRows, head: _Head, number: int, one: Field, told: list[Field], line: Line | None) -> None:
    informed = [t for t in told if t.tag == "86"] or told
    text = informed[0].value if len(informed) == 1 else "\n".join([t.value for t in informed])
    said = details(text)
    raw = "\n".join([f":{f.tag}:{f.value}" for f in (one, *told)])
    if line is None:
        line = UNREADABLE
        key = one.value
    else:
        customer, bank, supplement = line.customer_reference or "", line.bank_reference or "", line.supplement or ""
        minor = "" if line.amount is None else line.amount
        day = line.booking_date or line.value_date or head.day or ""
        key = f"{head.currency}|{day}|{minor}|{line.code or ''}|{bank}|{customer}|{supplement}|{text}"
    references = [
        (r, source, None)
        for r, source in ((said.reference, "creditor_reference"), (line.customer_reference, "customer_reference"))
        if r and r[-1] != "+"  # KREF+ and EREF+ say that it stands in :86:
    ]
    cells = {
        "row_number": one.line,
        "statement": number,
        "position": f"line {one.line}",
        "raw": raw,
        "account": head.account,
        "currency": head.currency,
        "reversal": line.reversal,
        "booking_date": line.booking_date or line.value_date or head.day,
        "value_date": line.value_date,
        "amount": line.amount,
        "status": "PDNG" if line.expected else "BOOK",
        "transaction_code": line.code,
        "bank_reference": line.bank_reference,
        "end_to_end_id": said.end_to_end_id,
        "remittance": said.remittance or line.supplement,
        "payer_name": said.name,
        "payer_account": said.account,
    }
    rows.put(f"mt940|{head.account}|{key}", references, cells)
