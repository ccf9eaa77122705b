"""Steps 5 to 7: parse the bytes, check the file as a whole, part accepted from quarantined rows. Tables in, tables out.

Tables of a file: `parsed` (payments; of a row file, its columns), `findings`, what the format said, and of a bank file
its `statements`; then `accepted`, `quarantined` and `issues`. A row file is read anew by each step, a piece at a time,
so that its size does not matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

import polars as pl

from import_project.errors import NotBookable, NotConserved, TooManyQuarantined
from import_project.formats.caps import allow_statements
from import_project.formats.registry import bank_format, row_format
from import_project.formats.trial import try_out
from import_project.frames import Part, Reading, statements_frame, statements_of
from import_project.in_order import in_order
from import_project.pipeline.follow import follow
from import_project.pipeline.hold import Facts, Held
from import_project.pipeline.retired import as_it_was
from import_project.records.statements import Statement
from import_project.validation.payments import split_payments
from import_project.validation.split import kept_of, split_rows


async def parse_file(held: Held) -> Facts:
    """Parse the landed bytes. Raises FileRefused when the content is not what was agreed as a whole.

    A control total of the whole file that is wrong makes it NotBookable: nothing of it may be posted.
    """
    if held.retired:
        return as_it_was(held)
    if _decided(held):
        return {"rows": rows_parsed(held), "kept": "as decided"}
    return _parse_rows(held) if held.loaded.schema is not None else _parse_payments(held)


def rows_parsed(held: Held) -> int:
    """Return how many rows the step `parse_file` found."""
    if held.loaded.schema is None:
        return held.parts.tables.rows(held.feed, "parsed", held.sha256)
    parsed = held.parts.tables.read(held.feed, "parsed", held.sha256)
    return int(parsed["rows"][0]) if parsed.height else 0


def _parse_payments(held: Held) -> Facts:
    rows, findings, errors = 0, 0, []
    statements: list[Statement] = []
    path = held.parts.landing.proved(held.sha256)
    writing = held.parts.tables.writing(held.feed, held.sha256, "findings", "parsed")
    with path.open("rb") as content, writing as tables:
        for piece in bank_format(held.loaded.feed.format.kind).pieces(content, **held.loaded.format_options):
            tables["parsed"].append(piece.frame)
            tables["findings"].append(piece.issues)
            rows, findings = rows + piece.frame.height, findings + piece.issues.height
            errors += piece.file_errors.select("rule", "message").rows()
            statements += piece.statements
            allow_statements(len(statements))
    _write(held, "statements", statements_frame(statements))
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise NotBookable(f"{errors[0][0]}: {errors[0][1]}{more}", do="ask the sender for a whole file")
    return {"rows": rows, "findings": findings}


def _parse_rows(held: Held) -> Facts:
    rows, found = 0, 0
    filled = Counter[str]()
    with held.parts.tables.writing(held.feed, held.sha256, "findings") as tables, Reader(held, trial=True) as read:
        records = 0
        for batch in in_order(lambda part: part(), read()):
            numbered = batch.behind(records)
            records += batch.records
            rows += batch.frame.height
            found += batch.issues.height
            tables["findings"].append(numbered.issues)
            for column in batch.columns:
                filled[column] += batch.frame[column].len() - batch.frame[column].null_count()
    columns = pl.DataFrame(
        {"column": list(filled), "filled": list(filled.values()), "rows": [rows] * len(filled)},
        schema={"column": pl.String, "filled": pl.Int64, "rows": pl.Int64},
    )
    _write(held, "parsed", columns)
    return {"rows": rows, "columns": columns.height, "findings": found}


class Reader:
    """Reads the landed bytes of a row file, from the start each time it is called; before that in a `trial`."""

    def __init__(self, held: Held, *, trial: bool = False) -> None:
        self._path = held.parts.landing.proved(held.sha256)
        self._kind, self._options = held.loaded.feed.format.kind, held.loaded.format_options
        self._open = ExitStack()
        if trial:
            with self._path.open("rb") as content:
                try_out(self._kind, content, self._options)

    def __enter__(self) -> Callable[[], Iterator[Part]]:
        return self._parts

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def _parts(self) -> Iterator[Part]:
        content: BinaryIO = self._open.enter_context(self._path.open("rb"))
        return row_format(self._kind).parts(content, **self._options)


async def validate_rows(held: Held) -> Facts:
    """Part the parsed rows, and prove that none is lost: rows = accepted + quarantined.

    Raises TooManyQuarantined, with all tables written, when the schema refuses such a file.
    """
    if held.retired:
        return as_it_was(held)
    if _decided(held):
        kept = {t: held.parts.tables.rows(held.feed, t, held.sha256) for t in ("accepted", "quarantined")}
        return {"rows": sum(kept.values()), **kept, "warnings": 0, "kept": "as decided"}
    held.parts.tables.remove(held.feed, "replayed", held.sha256)
    counted = _validate_payments(held) if held.loaded.schema is None else _validate_rows(held)
    rows, parsed = counted["accepted"] + counted["quarantined"], rows_parsed(held)
    if rows != parsed:
        raise NotConserved(f"{parsed} rows parsed, {rows} after validation")
    schema = held.loaded.schema
    if schema is not None and (told := schema.limits.broken_by(counted["quarantined"], rows)):
        raise TooManyQuarantined(told, rows=rows, quarantined=counted["quarantined"])
    return {"rows": rows, **counted}


def _validate_payments(held: Held) -> dict[str, int]:
    parsed = held.parts.tables.read(held.feed, "parsed", held.sha256)
    findings = held.parts.tables.read(held.feed, "findings", held.sha256)
    beside = follow(held, statements_of(held.parts.tables.read(held.feed, "statements", held.sha256)), parsed)
    issues = pl.concat([findings, beside])
    split = split_payments(Reading(format=held.loaded.feed.format.kind, frame=parsed, issues=issues))
    _write(held, "accepted", split.accepted)
    _write(held, "quarantined", split.quarantined)
    _write(held, "issues", split.issues)
    broken: Counter[tuple[str, str]] = Counter()
    _count(broken, split.issues)
    return _counted(split.accepted.height, split.quarantined.height, broken)


def _validate_rows(held: Held) -> dict[str, int]:
    assert held.loaded.schema is not None
    broken: Counter[tuple[str, str]] = Counter()
    names = ("issues", "quarantined", "accepted")
    with held.parts.tables.writing(held.feed, held.sha256, *names) as tables, Reader(held) as read:
        pieces = split_rows(
            read,
            held.loaded.schema.compiled,
            identities=True,
            transform=held.loaded.callbacks.transform,
            kept_bytes=kept_of(held.parts.landing.existing(held.sha256).stat().st_size),
        )
        for piece in pieces:
            for name in names:
                tables[name].append(getattr(piece, name))
            _count(broken, piece.issues)
        return _counted(tables["accepted"].rows, tables["quarantined"].rows, broken)


def _count(broken: Counter[tuple[str, str]], issues: pl.DataFrame) -> None:
    for severity, rule, count in issues.group_by("severity", "rule").len().iter_rows():
        broken[severity, rule] += count


def _counted(accepted: int, quarantined: int, broken: Counter[tuple[str, str]]) -> dict[str, int]:
    warnings = sum(n for (severity, _), n in broken.items() if severity != "error")
    errors = {f"broken {rule}": n for (severity, rule), n in sorted(broken.items()) if severity == "error"}
    return {"accepted": accepted, "quarantined": quarantined, "warnings": warnings, **errors}


def _decided(held: Held) -> bool:
    """Whether anything of the file is decided: its tables then stay as they are, whatever a schema says by now.

    Read anew, a posted row could get another identity, or be quarantined after it took effect.
    """
    return held.parts.ledger.decisions.any_decided(held.feed, held.sha256)


def _write(held: Held, table: str, frame: pl.DataFrame) -> None:
    held.parts.tables.write(held.feed, table, held.sha256, frame)
