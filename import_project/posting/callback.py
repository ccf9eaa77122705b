"""Python of the user's own in an API's place: it is called once for each row. What is called when is the outbox's."""

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from import_project.errors import ApiUnavailable, ImportProjectError, RowRejected
from import_project.records.postings import Posting
from import_project.records.rows import Row

CellType = Callable[[str], Any]
_ASYNC_AT_ONCE = 8


class CallbackClient:
    """Calls `on_row(row)`, which may be async; up to eight of those run at once, of others one, in row order.

    What it returns is the receipt, as text. RowRejected rejects the row; any other error leaves it unknown: it is
    called again later with the same key, as an API would be.
    """

    def __init__(self, on_row: Callable[[Row], Any], feed: str, cells: Mapping[str, CellType]) -> None:
        self._on_row, self._feed, self._cells = on_row, feed, cells
        asked = on_row if inspect.isroutine(on_row) else getattr(on_row, "__call__", on_row)  # noqa: B004 - for objects
        self.concurrency = _ASYNC_AT_ONCE if inspect.iscoroutinefunction(asked) else 1

    async def __aenter__(self) -> Self:
        """Nothing is opened."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is closed."""

    async def post(self, posting: Posting) -> tuple[int, str]:
        """Hand one frozen row over. Returns 200 and the receipt, or 422 and why it was rejected."""
        values = {column: self._value(column, value) for column, value in json.loads(posting.body).items()}
        row = Row(feed=self._feed, number=posting.row_number, key=posting.key, values=values)
        try:
            if self.concurrency == 1:
                answer = await asyncio.to_thread(self._on_row, row)
            else:
                answer = self._on_row(row)
            if inspect.isawaitable(answer):
                answer = await answer
        except RowRejected as rejected:
            return 422, rejected.what
        except ImportProjectError as error:
            raise ApiUnavailable(f"on_row failed at row {row.number}: {error.what}") from error
        except Exception as error:
            told = f"{type(error).__name__}: {error}"[:200]
            raise ApiUnavailable(f"on_row failed at row {row.number}: {told}") from error
        return 200, "" if answer is None else str(answer)

    def _value(self, column: str, value: Any) -> Any:
        return self._cells[column](value) if column in self._cells and value is not None else value
