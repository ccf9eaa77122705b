"""The first rows of a table as anyone may see them: personal data is masked, so that it reaches no log of runs."""

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.frames import IDENTITY, RAW
from import_project.pipeline.parts import Parts

#: Of a payment these are shown as they are; the others of a preview may name a person.
_PLAIN = ("row_number", "booking_date", "amount", "currency", "status")
_SHOWN = (*_PLAIN, "payer_name", "payer_account", "references", "remittance", "bank_reference")
_MASK = "•••"
_LEFT_OUT = (IDENTITY, RAW)


def preview(parts: Parts, loaded: LoadedFeed, table: str, sha256: str, rows: int = 5) -> pl.DataFrame:
    """Return the first rows of `accepted` or `quarantined`, every cell as text, what is personal masked."""
    frame = pl.DataFrame()
    for frame in parts.tables.batches(loaded.name, table, sha256):
        if frame.height:
            break
    columns = [c for c in frame.columns if c not in _LEFT_OUT] if loaded.schema is not None else list(_SHOWN)
    shown = frame.head(rows).select(columns)
    plain = _plain(loaded, as_it_came=table == "quarantined")
    cells = {name: [_cell(value, plain=name in plain) for value in shown[name].to_list()] for name in shown.columns}
    return pl.DataFrame(cells, schema=dict.fromkeys(shown.columns, pl.String()))


def masked(value: object) -> str:
    """Return enough of a value to tell a filled cell from an empty one, and one kind of value from another."""
    text = "" if value is None or value == [] else str(value)
    if not text:
        return ""
    return f"{text[0]}{_MASK}" if len(text) > 3 else _MASK


def _plain(loaded: LoadedFeed, *, as_it_came: bool) -> frozenset[str]:
    """A text may name a person unless its values are counted up, or the schema says that it does not. What is
    quarantined is text as it came, and may stand in the wrong column."""
    if loaded.schema is None:
        return frozenset(_PLAIN)
    plain = {"row_number"}
    for column in loaded.schema.columns:
        personal = column.personal
        if personal is None:
            personal = as_it_came or (column.type == "text" and not column.choices)
        if not personal:
            plain.add(column.name)
    return frozenset(plain)


def _cell(value: object, *, plain: bool) -> str:
    if not plain:
        return masked(value)
    return "" if value is None else str(value)
