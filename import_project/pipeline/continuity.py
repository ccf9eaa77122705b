"""What statements of different files tell about each other: numbers that are missing or came before, balances that do
not follow on, payments that stand in two. All are warnings: each statement is proved by its own totals. Pure."""

import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from import_project.records.issues import Issue, Severity
from import_project.records.statements import Filed, Statement

#: Messages that come once for a period and are numbered; interim reports and notifications repeat themselves.
_FOLLOWING = frozenset({"camt.053", "mt940"})
_LOOK = 50  # statements of one number and day that are passed over in search of the next
_NUMBER = re.compile(r"0*(\d{1,6})(?:/0*(\d{1,5}))?(?:/\d+)?")  # more digits are a date or an order number


class Line:
    """The statements of one account, currency and message, by day and number."""

    def __init__(self, filed: Iterable[Filed] = ()) -> None:
        self._filed: list[Filed] = []
        self._by_number: defaultdict[tuple[int, int] | None, list[Filed]] = defaultdict(list)
        self._by_content: dict[tuple[object, ...], Filed] = {}
        for one in filed:
            self.add(one)

    def add(self, one: Filed) -> None:
        """Put a statement in its place."""
        insort(self._filed, one, key=lambda o: _place(o.statement))
        self._by_number[_number(one.statement)].append(one)
        self._by_content.setdefault(_content(one.statement), one)

    def against(self, found: Statement) -> Iterator[Issue]:
        """Hold a statement that is not in the line against those that are."""
        if found.form not in _FOLLOWING or found.booking_date is None:
            return
        place = _place(found)
        at = bisect_left(self._filed, place, key=lambda o: _place(o.statement))
        before = self._filed[at - 1] if at else None
        after = next((o for o in self._filed[at : at + _LOOK] if _place(o.statement) > place), None)
        neighbours = [one.statement if one is not None else None for one in (before, after)]
        linked = _follows(neighbours[0], found) or _follows(found, neighbours[1])
        again = self._again(found, linked=linked)
        if again is not None:
            same = _content(again.statement) == _content(found)
            told = "with the same content" if same else f"with another content: {_told(again.statement)}"
            yield _warning(found, "statement_repeated", f"{_name(found)} came before, in {again.file}, {told}")
            return
        if before is not None:
            yield from _pair(before.statement, found, found, before.file)
        if after is not None:
            yield from _pair(found, after.statement, found, after.file)

    def _again(self, found: Statement, *, linked: bool) -> Filed | None:
        """Return the same statement: of the same content, or of the same number on one day, or in one year where
        balances do not link it with another. Banks begin anew each month, or do not count at all."""
        if found.identification is not None and (same := self._by_content.get(_content(found))):
            return same
        if _number(found) is None:
            return None
        for one in self._by_number[_number(found)]:
            of_day = one.statement.booking_date == found.booking_date
            if of_day or (not linked and _year(one.statement) == _year(found)):
                return one
        return None


def overlap(found: Statement, repeated: int) -> Iterator[Issue]:
    """Tell that payments of a statement were decided with another file."""
    if repeated:
        what = f"{repeated} of {found.payments} payments came with an earlier file: they are not posted again"
        yield _warning(found, "overlap", f"{_name(found)}: {what}")


def other_message(row_number: int, *, lump: bool) -> Issue:
    """Tell that the money of a payment was decided with another message of the bank."""
    told = (
        "the details of this entry came with an earlier file: it is not posted again as a whole"
        if lump
        else "the entry of this payment was posted as a whole, before its details came: it is not posted again"
    )
    return Issue(rule="other_message", message=told, severity=Severity.WARNING, row_number=row_number)


def _pair(earlier: Statement, later: Statement, found: Statement, file: str) -> Iterator[Issue]:
    other = earlier if later is found else later
    missing = _between(earlier, later)
    if missing:
        yield _warning(
            found, "statement_missing", f"{missing} missing between {_name(found)} and {_name(other)} ({file})"
        )
    if earlier.closing is None or later.opening is None or earlier.closing == later.opening:
        return
    difference = later.opening - earlier.closing
    told = f"{_name(later)} opens with {later.opening:.2f}, {_name(earlier)} closed with {earlier.closing:.2f}"
    yield _warning(found, "opening_balance", f"{told}: difference {difference:.2f} ({file})")


def _between(earlier: Statement, later: Statement) -> str | None:
    """Return which numbers lie between two statements; None where there are none, or their numbers do not say."""
    one, two = _number(earlier), _number(later)
    if one is None or two is None:
        return None
    (first, page), (second, next_page) = one, two
    if first == second:
        return f"pages {page + 1} to {next_page - 1} are" if next_page > page + 1 and page else None
    if _year(earlier) != _year(later) and second < first:
        first = 0  # counted anew each year
    if second - first == 2:
        return f"statement {first + 1} is"
    return f"statements {first + 1} to {second - 1} are" if second - first > 2 else None


def _follows(earlier: Statement | None, later: Statement | None) -> bool:
    """Whether one statement opens with what the other closed with, on another day."""
    if earlier is None or later is None or earlier.booking_date == later.booking_date:
        return False
    return earlier.closing is not None and earlier.closing == later.opening


def _number(statement: Statement) -> tuple[int, int] | None:
    """Return a statement's number and page, zero where it has none."""
    told = _NUMBER.fullmatch(statement.sequence or "")
    if told is None or int(told[1]) == 0:
        return None
    return int(told[1]), int(told[2] or 0)


def _place(statement: Statement) -> tuple[date, int, int]:
    return (statement.booking_date or date.min, *(_number(statement) or (0, 0)))


def _year(statement: Statement) -> int:
    return (statement.booking_date or date.min).year


def _content(statement: Statement) -> tuple[object, ...]:
    said = (statement.identification, statement.booking_date, statement.opening, statement.closing)
    return (*said, statement.payments, statement.net)


def _name(statement: Statement) -> str:
    number = statement.sequence or statement.identification or statement.number
    return f"statement {number} of {statement.booking_date} (account {statement.account})"


def _told(statement: Statement) -> str:
    return f"{statement.payments} payments of {statement.net:.2f} {statement.currency} on {statement.booking_date}"


def _warning(statement: Statement, rule: str, message: str) -> Issue:
    return Issue(rule=rule, message=message, severity=Severity.WARNING, statement=statement.number)
