"""Step 8, first half: the open invoices that a file's payments are matched with, from an API, a database or a file,
kept as a table with their age."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.config.match import ALL_COLUMNS, COLUMNS, Invoices
from import_project.errors import ApiAnswerUnusable, ConfigError, FileRefused, InvoicesStale, InvoicesUnusable
from import_project.formats.registry import read_whole
from import_project.frames import MONEY
from import_project.matching.frames import OPEN_INVOICES, listed_once
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.parts import Parts
from import_project.pipeline.retired import as_it_was
from import_project.sources.sql_query import query

#: The list, and in a table of its own when it was true (`as_of`, UTC): when it was asked for, or its file was written.
TABLE, AGE = "open_invoices", "open_invoices_as_of"
_AS_OF = pl.Datetime("us", "UTC")
_TRUE, _FALSE = (
    frozenset({"true", "1", "yes", "closed", "paid", "cancelled"}),
    frozenset({"", "false", "0", "no", "open"}),
)
_BY_ENDING = {".csv": "delimited", ".txt": "delimited", ".xlsx": "excel", ".json": "json", ".jsonl": "jsonl"}
_BY_ENDING |= {".parquet": "parquet"}


async def fetch_invoices(held: Held) -> Facts:
    """Fetch the open invoices that this file is matched with, and keep them as a table.

    Raises InvoicesUnusable for an item that is no invoice, and what the API, database or file gives for an error.
    """
    if held.retired:
        return as_it_was(held)
    invoices, as_of = await list_invoices(held)
    write_invoices(held, invoices, as_of)
    age = held.parts.clock() - as_of
    opens = invoices.group_by("currency").agg(pl.col("open_amount").sum()).sort("currency").iter_rows()
    contradictory = int(invoices["contradictory"].sum())
    facts: dict[str, int | str] = {"invoices": invoices.height, "as of": as_of.isoformat(timespec="seconds")}
    facts |= {"age in seconds": round(age.total_seconds())}
    facts |= {f"open {currency}": f"{amount:.2f}" for currency, amount in opens}
    return facts | ({"listed differently twice": contradictory} if contradictory else {})


async def list_invoices(held: Held) -> tuple[pl.DataFrame, datetime]:
    """Return the open invoices now, in the shape `OPEN_INVOICES`, each once, and when the list was true."""
    if held.loaded.feed.match is None:
        raise ConfigError("the feed has no key match", feed=held.feed)
    wanted = held.loaded.feed.match.invoices
    as_of = held.parts.clock()  # before the first page: what is posted later may not be in the list
    if wanted.api is not None:
        async with held.parts.open_api(held.loaded) as api:
            try:
                return listed([item async for item in api.pages(wanted.api)], wanted), as_of
            except InvoicesUnusable as error:
                raise ApiAnswerUnusable(error.what) from error
    if wanted.sql is not None:
        url = held.parts.reveal(wanted.url) or ""
        return listed(query(url, wanted.sql), wanted), as_of
    assert wanted.file is not None
    return listed(_rows_of_file(wanted), wanted), datetime.fromtimestamp(_facts(wanted).st_mtime, UTC)


async def fresh_invoices(held: Held) -> tuple[pl.DataFrame, datetime]:
    """Return the open invoices now. Raises InvoicesStale when the list that is given is too old."""
    invoices, as_of = await list_invoices(held)
    if told := _stale(held.loaded, as_of, held.parts.clock()):
        raise InvoicesStale(told, do="renew the file it is read from")
    return invoices, as_of


def write_invoices(held: Held, invoices: pl.DataFrame, as_of: datetime) -> None:
    """Keep a list as the file's table."""
    held.parts.tables.write(held.feed, TABLE, held.sha256, invoices)
    told = pl.DataFrame({"as_of": [as_of]}, schema={"as_of": _AS_OF})
    held.parts.tables.write(held.feed, AGE, held.sha256, told)


def read_invoices(held: Held) -> tuple[pl.DataFrame, datetime]:
    """Return the list that was kept for the file, and when it was true. Raises InvoicesStale when it is too old."""
    stored, as_of = _stored(held.parts, held.feed, held.sha256)
    if told := _stale(held.loaded, as_of, held.parts.clock()):
        raise InvoicesStale(told, do="materialize open_invoices again, or renew the file it is read from")
    return stored, as_of


def read_table(parts: Parts, feed: str, sha256: str) -> pl.DataFrame:
    """Return the list that was kept for a file, whatever its age."""
    return parts.tables.read(feed, TABLE, sha256)


def stale(parts: Parts, loaded: LoadedFeed, sha256: str) -> str | None:
    """Return how the list that was kept for a file is too old to match with; None when it is not."""
    return _stale(loaded, _stored(parts, loaded.name, sha256)[1], parts.clock())


def _stored(parts: Parts, feed: str, sha256: str) -> tuple[pl.DataFrame, datetime]:
    return parts.tables.read(feed, TABLE, sha256), parts.tables.read(feed, AGE, sha256)["as_of"][0]


def _stale(loaded: LoadedFeed, as_of: datetime, now: datetime) -> str | None:
    match = loaded.feed.match
    assert match is not None
    minutes, most = (now - as_of).total_seconds() / 60, match.invoices.most_age_minutes
    if minutes <= most:
        return None
    return f"the list of open invoices is {minutes:,.0f} minutes old, at most {most:,} are allowed"


def listed(items: Iterable[Mapping[str, Any]], wanted: Invoices) -> pl.DataFrame:
    """Return invoices as a source gives them in the shape `OPEN_INVOICES`, each once. Raises InvoicesUnusable."""
    names: dict[str, str] = {column: wanted.columns.get(column, column) for column in ALL_COLUMNS}
    given = list(items)
    known = {str(key) for item in given for key in (item if hasattr(item, "keys") else ())}
    if given and (absent := sorted(set(wanted.columns.values()) - known)):
        told = f"no open invoice has {', '.join(absent)}, which match.invoices.columns names"
        raise InvoicesUnusable(told, do=f"they have {', '.join(sorted(known))}")
    rows = [_row(item, names, place) for place, item in enumerate(given, start=1)]
    schema = {n: t for n, t in OPEN_INVOICES.items() if n != "contradictory"}
    return listed_once(pl.DataFrame(rows, schema=schema, orient="row"))


def _row(item: Mapping[str, Any], names: Mapping[str, str], place: int) -> list[Any]:
    if not isinstance(item, Mapping):
        raise InvoicesUnusable(f"item {place} of the open invoices is no invoice")
    for column in COLUMNS:
        if names[column] not in item:
            raise InvoicesUnusable(
                f"open invoice {place} has no {names[column]}", do="or name it in match.invoices.columns"
            )
    invoice_id = _text(item[names["invoice_id"]])
    if not invoice_id or invoice_id in {".", ".."}:
        raise InvoicesUnusable(f"open invoice {place} has an empty {names['invoice_id']}, or one that is only dots")
    where = f"invoice {invoice_id}"
    return [
        invoice_id,
        _text(item[names["reference"]]) or "",
        (_text(item[names["currency"]]) or "").upper(),
        _money(item[names["open_amount"]], where, names["open_amount"]),
        _text(item.get(names["customer_id"])),
        _text(item.get(names["customer_name"])),
        _texts(item.get(names["payer_accounts"])),
        _day(item.get(names["due_on"]), where, names["due_on"]),
        _money(item.get(names["discount"]), where, names["discount"], needed=False),
        _day(item.get(names["discount_until"]), where, names["discount_until"]),
        _truth(item.get(names["closed"]), where, names["closed"]),
        _text(item.get(names["version"])),
    ]


def _text(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    return [t for v in value or () if (t := _text(v))]


def _money(value: Any, where: str, column: str, *, needed: bool = True) -> Decimal | None:
    """Read money with at most two decimals; numbers with a fraction come as text from JSON, so that they are exact."""
    if not needed and _text(value) is None:
        return None
    try:
        amount = Decimal(str(value))
        if not amount.is_finite() or amount != amount.quantize(Decimal("0.01")) or abs(amount) >= Decimal(10) ** 34:
            raise InvalidOperation
    except InvalidOperation:
        told = f"the {column.replace('_', ' ')} of {where}, {str(value)[:30]!r}, is no amount of money"
        raise InvoicesUnusable(told, do="write it as 1250.00") from None
    return amount


def _day(value: Any, where: str, column: str) -> Any:
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise InvoicesUnusable(f"the {column} of {where} is no day such as 2026-11-25") from None


def _truth(value: Any, where: str, column: str) -> bool:
    text = (_text(value) or "").lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvoicesUnusable(f"the {column} of {where} is neither true nor false")


def _facts(wanted: Invoices) -> Any:
    assert wanted.file is not None
    try:
        return wanted.file.stat()
    except OSError as error:
        told = f"the list of open invoices cannot be read: {error.strerror}: {wanted.file}"
        raise InvoicesUnusable(told, do="see that it is delivered") from None


def _rows_of_file(wanted: Invoices) -> list[dict[str, Any]]:
    assert wanted.file is not None
    _facts(wanted)
    kind = _BY_ENDING.get(wanted.file.suffix.lower())
    if kind is None:
        raise ConfigError(f"{wanted.file.name}: open invoices are read from {', '.join(_BY_ENDING)}")
    try:
        with wanted.file.open("rb") as content:
            reading = read_whole(kind, content, {})
    except FileRefused as error:  # the list is no good: that says nothing of the bank's file
        raise InvoicesUnusable(f"{wanted.file.name}: {error.what}", do="see that it is delivered whole") from error
    errors = reading.issues.filter(pl.col("severity") == "error")
    if errors.height:
        told = f"{wanted.file.name}: {errors['rule'][0]}: {errors['message'][0]}"
        raise InvoicesUnusable(told, row=errors["row_number"][0])
    return reading.frame.drop("row_number", "raw").rows(named=True)


def still_open(invoices: pl.DataFrame, taken: Mapping[str, Decimal]) -> pl.DataFrame:
    """Return a list less what is frozen for its invoices and may not show in it yet.

    Nobody knows whether it shows already, so an amount is only ever made smaller, and never past zero: what is taken
    back counts when the list says so.
    """
    if not taken:
        return invoices
    schema: dict[str, pl.DataType] = {"invoice_id": pl.String(), "taken": MONEY}
    less = pl.DataFrame({"invoice_id": list(taken), "taken": list(taken.values())}, schema=schema)
    known = invoices.join(less, on="invoice_id", how="left", maintain_order="left")
    opened, nothing = pl.col("open_amount"), pl.lit(Decimal("0.00")).cast(MONEY)
    rest = (opened - pl.col("taken").fill_null(Decimal(0))).cast(MONEY)
    owed = pl.min_horizontal(opened, pl.max_horizontal(rest, nothing))
    owing = pl.max_horizontal(opened, pl.min_horizontal(rest, nothing))
    return known.with_columns(open_amount=pl.when(opened >= 0).then(owed).otherwise(owing)).drop("taken")
