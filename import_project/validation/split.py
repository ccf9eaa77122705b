"""Accepted and quarantined rows of a file, each quarantined row with all its reasons. Rows in = rows out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from import_project.errors import NotConserved, Unreadable
from import_project.frames import IDENTITY, RAW, ROW_NUMBER, Part, issues_frame
from import_project.in_order import in_order
from import_project.records.issues import Issue, Severity
from import_project.validation.cells import as_plain_text
from import_project.validation.identity import Occurrences
from import_project.validation.look import Looked, Looker, Transform, missing_columns, told
from import_project.validation.repeats import Repeats, candidates, twice
from import_project.validation.rules import Once, Rule, Rules, columns_needed

_SMALL_FILE, _KEPT_BYTES = 128 << 20, 400 << 20


def kept_of(file_size: int) -> int:
    """Return how much of a file of so many bytes may be held in memory between the two looks at its rows.

    A larger file is read again: what it held by then would stay with the process.
    """
    return _KEPT_BYTES if file_size <= _SMALL_FILE else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """`accepted` is typed, `quarantined` text as read, `issues` (errors and warnings) in the shape `ISSUES`."""

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    issues: pl.DataFrame

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return self.accepted.height + self.quarantined.height


def whole(splits: Iterable[Split]) -> Split:
    """Put the pieces of a file together."""
    found = list(splits)
    return Split(
        accepted=pl.concat(s.accepted for s in found),
        quarantined=pl.concat(s.quarantined for s in found),
        issues=pl.concat(s.issues for s in found).sort(ROW_NUMBER, maintain_order=True),
    )


def split_rows(
    read: Callable[[], Iterable[Part]],
    rules: Rules,
    *,
    identities: bool = False,
    transform: Transform | None = None,
    kept_bytes: int = _KEPT_BYTES,
) -> Iterator[Split]:
    """Part the rows of a file, piece by piece, in file order; the first piece has no row, but all columns.

    `read` begins the file anew: what may stand once in it is looked for first, and rows are parted then. With
    `identities`, both parts have `identity`. Raises Unreadable when an agreed column is missing: then no row can be
    right.
    """
    looker = Looker(rules=rules, identities=identities, transform=transform)
    known = _Known(rules)
    two_looks = bool(rules.once or rules.of_file or identities)
    kept = _first_look(looker, read, known, kept_bytes) if two_looks else None

    def again() -> Iterator[Looked]:
        looker.only_hashes = False
        return iter(kept) if kept is not None else _numbered(looker, read)

    known.find(again, looker)
    yield from _parted(again(), rules, known, identities=identities)


def _numbered(looker: Looker, read: Callable[[], Iterable[Part]]) -> Iterator[Looked]:
    before = 0
    for looked in in_order(looker, read()):
        yield looked.behind(before)
        before += looked.records


def _first_look(
    looker: Looker, read: Callable[[], Iterable[Part]], known: "_Known", kept_bytes: int
) -> list[Looked] | None:
    """Take in the hashes of a file. Returns all that was looked at, if it is small enough to hold."""
    kept: list[Looked] | None = []
    size = 0
    for looked in _numbered(looker, read):
        known.take_in(looked)
        size += looked.size
        if size > kept_bytes:
            kept, looker.only_hashes = None, True
        if kept is not None:
            kept.append(looked)
    return kept


class _Known:
    """What is known of a file as a whole: which rows break rules about it, and which identities come again."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._repeats: dict[int | None, Repeats] = {}
        self.refused: list[tuple[Once | Rule, pl.Series]] = []
        self.repeated_keys = pl.Series("hash", [], dtype=pl.UInt64)

    def take_in(self, looked: Looked) -> None:
        for place, hashes in looked.hashes.items():
            self._repeats.setdefault(place, Repeats()).add(hashes)

    def find(self, again: Callable[[], Iterator[Looked]], looker: Looker) -> None:
        """Find the rows that break rules about the file, by their numbers."""
        repeated = {place: repeats.repeated() for place, repeats in self._repeats.items()}
        self.repeated_keys = repeated.pop(None, self.repeated_keys)
        doubtful = [
            (once, repeated[i]) for i, once in enumerate(self._rules.once) if i in repeated and repeated[i].len()
        ]
        needed = columns_needed(self._rules.of_file, list(self._rules.schema.by_name))
        if not doubtful and not self._rules.of_file:
            return
        rows: list[list[pl.DataFrame]] = [[] for _ in doubtful]
        columns: list[pl.DataFrame] = []
        for looked in again():
            for found, (once, hashes) in zip(rows, doubtful, strict=True):
                found.append(candidates(looked.values, once.columns, hashes).select(ROW_NUMBER, *once.columns))
            if self._rules.of_file:
                columns.append(looked.values.select(ROW_NUMBER, *needed))
        for found, (once, _) in zip(rows, doubtful, strict=True):
            self.refused.append((once, twice(pl.concat(found), once.columns)[ROW_NUMBER]))
        if self._rules.of_file and (values := pl.concat(columns)).height:
            self.refused += [(rule, values.filter(rule.hits(values))[ROW_NUMBER]) for rule in self._rules.of_file]


def _parted(pieces: Iterator[Looked], rules: Rules, known: _Known, *, identities: bool) -> Iterator[Split]:
    occurrences = Occurrences(known.repeated_keys)
    layout: list[str] | None = None
    extra: set[str] = set()
    missing = {c.name for c in rules.schema.columns if not c.optional}
    rows, columns = 0, set[str]()
    for looked in pieces:
        rows += looked.rows.height
        missing -= looked.columns
        columns |= looked.columns
        if layout is None:
            own = [c for c in looked.rows.columns if c not in {ROW_NUMBER, RAW}]
            layout = [*own, *(c.name for c in rules.schema.columns if c.name not in own), RAW]
        notes = _notes(rules, sorted(looked.columns - extra - set(rules.schema.by_name)))
        extra |= looked.columns
        yield _split(looked, known, layout, notes, occurrences if identities else None)
    if missing and rows:
        raise missing_columns(sorted(missing), sorted(columns))


def _notes(rules: Rules, extra: Sequence[str]) -> pl.DataFrame:
    if rules.schema.strict and extra:
        raise Unreadable(f"{', '.join(map(repr, extra))} is not agreed", do="the schema is strict about columns")
    return issues_frame(
        Issue(rule="extra_column", message="not agreed: not read", severity=Severity.WARNING, column=c) for c in extra
    )


def _split(
    looked: Looked, known: _Known, layout: Sequence[str], notes: pl.DataFrame, occurrences: Occurrences | None
) -> Split:
    bad, issues = looked.bad, [notes, looked.issues]
    numbers = looked.values[ROW_NUMBER]
    for rule, refused in known.refused:
        here = refused.filter(refused.is_between(numbers.min(), numbers.max())) if numbers.len() else refused.clear()
        if here.len():
            hits = numbers.is_in(here.implode())
            issues.append(told(_rows_of(looked, hits), None, rule))
            bad = bad | hits if rule.severity is Severity.ERROR else bad
    any_bad = bool(bad.any())
    accepted = looked.values.filter(~bad) if any_bad else looked.values
    quarantined = _not_among(looked, bad if any_bad else None)
    quarantined = quarantined.select(ROW_NUMBER, *(_as_text(quarantined, c) for c in layout))
    if occurrences is not None and looked.keys is not None:
        identities = pl.DataFrame({ROW_NUMBER: looked.rows[ROW_NUMBER], IDENTITY: occurrences.identities(looked.keys)})
        accepted, quarantined = (_beside(part, identities) for part in (accepted, quarantined))
    if accepted.height + quarantined.height != looked.rows.height:
        raise NotConserved(
            f"{looked.rows.height} rows read, {accepted.height} accepted, {quarantined.height} quarantined"
        )
    return Split(
        accepted=accepted, quarantined=quarantined, issues=pl.concat(issues).sort(ROW_NUMBER, maintain_order=True)
    )


def _rows_of(looked: Looked, hits: pl.Series) -> pl.DataFrame:
    """Return the rows, as read, of the values that were hit."""
    if looked.rows.height == looked.values.height:
        return looked.rows.filter(hits)
    return looked.rows.filter(looked.rows[ROW_NUMBER].is_in(looked.values[ROW_NUMBER].filter(hits).implode()))


def _not_among(looked: Looked, bad: pl.Series | None) -> pl.DataFrame:
    """Return the rows, as read, that are bad or could not be parted."""
    if looked.rows.height == looked.values.height:
        return looked.rows.clear() if bad is None else looked.rows.filter(bad)
    good = looked.values[ROW_NUMBER] if bad is None else looked.values[ROW_NUMBER].filter(~bad)
    return looked.rows.filter(~looked.rows[ROW_NUMBER].is_in(good.implode()))


def _as_text(rows: pl.DataFrame, column: str) -> pl.Expr:
    if column not in rows.columns:
        return pl.lit(None, pl.String).alias(column)
    return as_plain_text(pl.col(column), rows.schema[column]).alias(column)


def _beside(part: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    if part.height == identities.height:
        return part.with_columns(identities[IDENTITY])
    return part.join(identities, on=ROW_NUMBER, how="left", maintain_order="left")
