"""Python of the user's own in an API's place: called once for each posting. What is called when is the outbox's."""

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from import_project.errors import ImportProjectError, RowRejected
from import_project.posting.answers import Reply
from import_project.records.matches import PaymentFacts, PaymentMatch
from import_project.records.postings import Posting
from import_project.records.rows import Row

CellType = Callable[[str], Any]
_ASYNC_AT_ONCE = 8


class CallbackClient:
    """Calls Python, which may be async; up to eight of those run at once, of others one, in row order.

    What it returns is the receipt, as text. RowRejected rejects the row or payment; any other error leaves it unknown:
    it is called again later with the same key, as an API would be.
    """

    def __init__(self, call: Callable[[Any], Any], name: str, handed: Callable[[Posting], Any]) -> None:
        """`handed` makes what is handed over of a posting; `name` is what the feed calls the callback."""
        self._call, self._name, self._handed = call, name, handed
        asked = call if inspect.isroutine(call) else getattr(call, "__call__", call)  # noqa: B004 - for objects
        self.concurrency = _ASYNC_AT_ONCE if inspect.iscoroutinefunction(asked) else 1

    async def __aenter__(self) -> Self:
        """Nothing is opened."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is closed."""

    async def deliver(self, posting: Posting) -> Reply:
        """Hand one frozen posting over. Returns 200 and the receipt, 400 and why it was rejected, or what it raised."""
        try:
            handed = self._handed(posting)
            if self.concurrency == 1:
                answer = await asyncio.to_thread(self._call, handed)
            else:
                answer = self._call(handed)
            if inspect.isawaitable(answer):
                answer = await answer
            return Reply(status=200, text=_receipt(answer), called=True)
        except RowRejected as rejected:
            return Reply(status=400, text=rejected.what)
        except ImportProjectError as error:
            return self._failed(posting, error.what, error.what)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's Python raises
            return self._failed(posting, f"{type(error).__name__}: {error}"[:200], type(error).__name__)

    def _failed(self, posting: Posting, told: str, why: str) -> Reply:
        place = f"{self._name} failed at row {posting.row_number}"
        return Reply(status=None, text=f"{place}: {told}", why=f"{place}: {why}")


def _receipt(answer: Any) -> str:
    """What was returned, as text. It was returned: an object that cannot be shown makes no call of it a failure."""
    try:
        return "" if answer is None else str(answer)
    except Exception:  # noqa: BLE001 - as above
        return type(answer).__name__


def row_of(posting: Posting, feed: str, cells: Mapping[str, CellType]) -> Row:
    """Return a posting of a row feed as a row; `cells` read the values of columns back."""
    values = {
        column: cells[column](value) if column in cells and value is not None else value
        for column, value in json.loads(posting.body).items()
    }
    return Row(feed=feed, number=posting.row_number, key=posting.key, values=values)


def match_of(posting: Posting, feed: str) -> PaymentMatch:
    """Return a posting of a bank feed as a match."""
    body = json.loads(posting.body)
    references = tuple(body["references"])
    payment = PaymentFacts(
        payment_id=body["payment_id"],
        amount=Decimal(body["payment_amount"]),
        currency=body["currency"],
        payment_date=date.fromisoformat(body["booking_date"]),
        account=body["account"],
        references=references,
        reference=references[0] if references else None,
        **{name: body.get(name) for name in ("payer_name", "payer_account", "remittance")},
    )
    return PaymentMatch(
        feed=feed,
        key=posting.key,
        payment=payment,
        written_off=Decimal(body.get("written_off", 0)),
        amount=_money(body.get("amount")),
        residual=_money(body.get("residual")),
        **{name: body.get(name) for name in ("invoice_id", "reason", "explanation", "rule")},
    )


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
