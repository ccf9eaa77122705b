"""A bank file against what the ledger knows of earlier ones: its statements, its payments and their entries. Keeps its
own statements for later files. What is told of them is decided in `continuity`."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import polars as pl

from import_project.frames import issues_frame
from import_project.pipeline.continuity import Line, other_message, overlap
from import_project.pipeline.hold import Held
from import_project.pipeline.identity import ENTRY, entry_subject, subject
from import_project.records.issues import Issue
from import_project.records.statements import Filed, Statement


def follow(held: Held, statements: Sequence[Statement], payments: pl.DataFrame) -> pl.DataFrame:
    """Return the warnings, in the shape `ISSUES`, and keep the file's statements. Nothing of it is decided yet."""
    return issues_frame(
        [*_sequences(held, statements), *_overlaps(held, statements, payments), *_entries(held, payments)]
    )


def _sequences(held: Held, statements: Sequence[Statement]) -> Iterator[Issue]:
    ledger = held.parts.ledger.statements
    if not held.parts.dry_run:
        ledger.keep(held.claim, held.sha256, statements)
    by_account: defaultdict[tuple[str | None, str, str], list[Statement]] = defaultdict(list)
    for one in statements:
        by_account[one.account, one.currency, one.form].append(one)
    for found in by_account.values():
        line = Line(ledger.around(held.feed, held.sha256, found))
        for one in found:
            yield from line.against(one)
            line.add(Filed(file="this file", statement=one))


def _overlaps(held: Held, statements: Sequence[Statement], payments: pl.DataFrame) -> Iterator[Issue]:
    subjects = [subject(i) for i in payments["identity"]]
    decided = held.parts.ledger.decisions.decided(held.feed, subjects)
    again = Counter(number for number, s in zip(payments["statement"], subjects, strict=True) if s in decided)
    for found in statements:
        yield from overlap(found, again[found.number])


def _entries(held: Held, payments: pl.DataFrame) -> Iterator[Issue]:
    """Tell of payments whose entry was decided the other way: as a whole, or by its details."""
    named = payments.filter(pl.col("entry").is_not_null()).select("row_number", "statement", *ENTRY)
    rows = [(row, entry_subject(row)) for row in named.iter_rows(named=True)]
    known = held.parts.ledger.decisions.entries(held.feed, [name for _, name in rows if name])
    for row, name in rows:
        if name in known and known[name] != row["lump"]:
            yield other_message(row["row_number"], lump=row["lump"])
