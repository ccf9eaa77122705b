"""The shapes of frames that rooms share: canonical payments, issues, `Batch` for some rows of a row file, and
`Reading` for what a format made of a whole file. No rules."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

import polars as pl

from import_project.records.issues import Issue, Severity
from import_project.records.statements import Statement

MONEY = pl.Decimal(38, 2)

#: Columns that readers add to a file's own; a file's column of such a name gets `_in_file` behind it.
ROW_NUMBER, RAW, IDENTITY = "row_number", "raw", "identity"
#: The table of what was decided of a file's rows. It is the last to be written, and the first to be let go.
DECISIONS = "decisions"
RESERVED = frozenset({ROW_NUMBER, RAW, IDENTITY})

REFERENCE = pl.Struct({"text": pl.String, "source": pl.String, "amount": MONEY})

#: One row a payment. `row_number` is the line of its first record, in formats without lines its place among the file's
#: payments; `position` says where it stands in words; `identity` names the same payment in any file. `amount` is
#: signed, `direction` says the same in a word; dates are the bank's days, without a zone. `status` is BOOK for what
#: moved money, and the bank's own word otherwise. `entry` is what the bank's entry of the payment is known by in every
#: message that has it, `lump` says that the payment stands for all of an entry, whose details may come in another
#: message. `references` are candidates, the last of them out of free text. `charges` are in `currency`;
#: `original_amount` is what was instructed in another currency, `exchange_rate` as the bank states it.
PAYMENTS: Mapping[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "statement": pl.Int64(),
    "identity": pl.String(),
    "account": pl.String(),
    "currency": pl.String(),
    "booking_date": pl.Date(),
    "value_date": pl.Date(),
    "amount": MONEY,
    "direction": pl.String(),
    "status": pl.String(),
    "reversal": pl.Boolean(),
    "transaction_code": pl.String(),
    "bank_reference": pl.String(),
    "entry": pl.String(),
    "lump": pl.Boolean(),
    "end_to_end_id": pl.String(),
    "references": pl.List(REFERENCE),
    "remittance": pl.String(),
    "payer_name": pl.String(),
    "payer_account": pl.String(),
    "payer_id": pl.String(),
    "payer_address": pl.String(),
    "charges": MONEY,
    "original_currency": pl.String(),
    "original_amount": MONEY,
    "exchange_rate": pl.Decimal(38, 12),
    "position": pl.String(),
    "raw": pl.String(),
}

#: One row a statement; the columns are fields of `Statement`.
STATEMENTS: Mapping[str, pl.DataType] = {
    "number": pl.Int64(),
    "form": pl.String(),
    "account": pl.String(),
    "currency": pl.String(),
    "identification": pl.String(),
    "sequence": pl.String(),
    "booking_date": pl.Date(),
    "payments": pl.Int64(),
    "net": MONEY,
    "opening": MONEY,
    "closing": MONEY,
    "declared": MONEY,
    "difference": MONEY,
    "receiver": pl.String(),
}

#: One row a finding; the columns are the fields of `Issue`.
ISSUES: Mapping[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "statement": pl.Int64(),
    "column": pl.String(),
    "rule": pl.String(),
    "value": pl.String(),
    "message": pl.String(),
    "severity": pl.String(),
}


def issues_frame(issues: Iterable[Issue]) -> pl.DataFrame:
    """Return `issues` in the shape `ISSUES`, in the order given."""
    found = list(issues)
    return pl.DataFrame(
        [
            pl.Series(n, list(map(attrgetter(n), found)), dtype=dtype) for n, dtype in ISSUES.items()
        ]  # a column at a time
    )


def issues_at(numbers: pl.Series, *, rule: str, message: str, severity: Severity = Severity.ERROR) -> pl.DataFrame:
    """Return the same finding of some rows, in the shape `ISSUES`."""
    told = {"rule": rule, "message": message, "severity": severity.value}
    cells = {n: pl.lit(told.get(n), dtype) for n, dtype in ISSUES.items() if n != ROW_NUMBER}
    return pl.DataFrame({ROW_NUMBER: numbers.cast(pl.Int64)}).with_columns(**cells).select(list(ISSUES))


def statements_frame(statements: Iterable[Statement]) -> pl.DataFrame:
    """Return `statements` in the shape `STATEMENTS`, in the order given."""
    rows = [[getattr(s, n) for n in STATEMENTS] for s in statements]
    return pl.DataFrame(rows, schema=dict(STATEMENTS), orient="row")


def statements_of(frame: pl.DataFrame) -> list[Statement]:
    """Return the statements of such a frame."""
    return [Statement(**row) for row in frame.iter_rows(named=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a format made of a file.

    `frame` holds one row a record: text columns with `row_number` for row files, `PAYMENTS` for bank files. A record
    that could not be read at all is in `frame` too, with what is known of it, and its error is in `issues`.
    """

    format: str
    frame: pl.DataFrame
    issues: pl.DataFrame
    statements: tuple[Statement, ...] = ()

    @property
    def file_errors(self) -> pl.DataFrame:
        """The errors that condemn the file as a whole."""
        return _of_file(self.issues)

    @property
    def bookable(self) -> bool:
        """Whether nothing in it must be set aside."""
        return self.issues.filter(pl.col("severity") == "error").is_empty()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some records of a row file, one after the other.

    `frame` has `row_number`, the file's own columns (text, or typed where the file has types), and `raw`: the text of
    a record that could not be parted, or of every record where the format gives it. `records` is how many numbers the
    batch spans: those of its rows, and of blank records between them. `fixed` says that every record has these
    columns, as a header names them; otherwise each record brings its own. `trimmed`: no text begins or ends with a
    blank, and none is empty, for certain. A part of a file counts its rows from 1: `numbered` knows better.
    """

    frame: pl.DataFrame
    issues: pl.DataFrame
    records: int
    fixed: bool = True
    trimmed: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the file's own columns."""
        return [c for c in self.frame.columns if c not in RESERVED]

    def behind(self, records: int) -> "Batch":
        """Return the batch as it is numbered behind so many records."""
        if not records:
            return self
        later = pl.col(ROW_NUMBER) + records
        return replace(self, frame=self.frame.with_columns(later), issues=self.issues.with_columns(later))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some payments of a bank file, one after the other (`PAYMENTS`), the findings so far, and the statements that
    ended. `format` names the message as exactly as the file does."""

    format: str
    frame: pl.DataFrame
    issues: pl.DataFrame
    statements: tuple[Statement, ...] = ()

    @property
    def file_errors(self) -> pl.DataFrame:
        """The errors that condemn the file as a whole."""
        return _of_file(self.issues)


def _of_file(issues: pl.DataFrame) -> pl.DataFrame:
    nowhere = pl.col("row_number").is_null() & pl.col("statement").is_null()
    return issues.filter(nowhere & (pl.col("severity") == "error"))


def whole(pieces: Iterable[Piece]) -> Reading:
    """Return all pieces of a bank file as one reading."""
    found = list(pieces)
    return Reading(
        format=found[0].format,
        frame=pl.concat([p.frame for p in found]),
        issues=pl.concat([p.issues for p in found]),
        statements=tuple(s for p in found for s in p.statements),
    )


#: A piece of a row file, read when it is called: pieces may be read in several threads.
Part = Callable[[], Batch]


def numbered(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Give batches that each count from 1 their numbers in the file."""
    before = 0
    for batch in batches:
        yield batch.behind(before)
        before += batch.records


def gathered(format_name: str, batches: Iterable[Batch]) -> Reading:
    """Return all rows of a file as one reading; a column that some records lack is null there."""
    found = list(numbered(batches))
    frames = [b.frame for b in found] or [pl.DataFrame(schema={ROW_NUMBER: pl.Int64, RAW: pl.String})]
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    issues = pl.concat([issues_frame([]), *(b.issues for b in found)]).sort(ROW_NUMBER, maintain_order=True)
    own = [c for c in frame.columns if c not in {ROW_NUMBER, RAW}]
    return Reading(format=format_name, frame=frame.select(ROW_NUMBER, *own, RAW), issues=issues)
