"""A BgMax file, block by block, in threads. No decision about what may be booked.

What holds for all of a section stands at its end, so its payments wait until that is read: memory grows with the
longest section.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import polars as pl

from import_project.errors import NotRecognised
from import_project.formats.bgmax.blocks import BYTES, Block, blocks
from import_project.formats.bgmax.layout import LOOK, MEMBERS, WIDTH, recognise
from import_project.formats.bgmax.payments import (
    base_payments,
    detailed,
    extra_references,
    grouped,
    part_sums,
    payments_frame,
)
from import_project.formats.bgmax.repeats import heads, occurrences, repeats
from import_project.formats.bgmax.totals import (
    end_issues,
    frame_issues,
    group_issues,
    section_issues,
    section_sums,
    sections_frame,
    statements,
)
from import_project.frames import Piece, issues_frame
from import_project.in_order import in_order


def pieces(content: BinaryIO, *, accept_test: bool = False, block_bytes: int = BYTES) -> Iterator[Piece]:
    """Read `content` into payments, and at last its sections and what concerns the file as a whole.

    Raises NotRecognised when it is not BgMax, Unreadable when it holds NUL bytes. Everything else that is wrong is an
    issue: with neither row nor section for the file, with a section for all its payments, with a row for one payment.
    """
    if not recognise(content.read(LOOK)):
        raise NotRecognised("the content is not BgMax: no start record 01 with layout BGMAX")
    file = _File()
    for part in in_order(_part, blocks(content, block_bytes)):
        file.waiting.append(part)
        yield from file.complete(part.closed)
    yield from file.complete(part.sections[1])
    yield file.end(accept_test=accept_test)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one block says. `outline` holds its lines but for those of payments (and of these what may be over-long),
    `firsts` the first row of each section. `sections` are the numbers of the first and the last, `closed` that of the
    last that ended."""

    details: pl.DataFrame
    issues: pl.DataFrame
    heads: pl.DataFrame
    sums: pl.DataFrame
    outline: pl.DataFrame
    firsts: pl.DataFrame
    block: Block
    sections: tuple[int, int]
    closed: int


def _part(block: Block) -> _Part:
    members = grouped(block.lines)
    payments = base_payments(members)
    extras = extra_references(members)
    parts = part_sums(extras, payments)
    numbered = block.lines.filter(pl.col("section").is_not_null())
    firsts = numbered.group_by("section", maintain_order=True).agg(pl.col("row_number").first())
    reach = (firsts["section"][0], firsts["section"][-1]) if firsts.height else (0, 0)
    over_long = pl.col("line").str.len_bytes() > WIDTH
    return _Part(
        details=detailed(members, payments, extras, parts),
        issues=issues_frame(group_issues(members, payments, extras, parts)),
        heads=heads(payments),
        sums=section_sums(payments),
        outline=block.lines.filter(~pl.col("record").is_in(MEMBERS) | over_long),
        firsts=firsts,
        block=replace(block, lines=block.lines.clear()),
        sections=reach,
        closed=reach[1] if block.inside[-1:] == ("15",) else reach[1] - 1,
    )


@dataclass(slots=True)
class _File:
    """The parts of a file so far; the payments of those `waiting` are not given away yet."""

    given: list[_Part] = field(default_factory=list)
    waiting: list[_Part] = field(default_factory=list)

    def complete(self, closed: int) -> Iterator[Piece]:
        """Give away the payments whose sections are among the first `closed` ones."""
        ready = [part for part in self.waiting if part.sections[1] <= closed]
        if not ready:
            return
        reaching = itertools.takewhile(lambda p: p.sections[1] >= ready[0].sections[0], reversed(self.given))
        near = [*reversed(list(reaching)), *self.waiting]
        sections = _sections(near).select("section", "account", "currency", "booking_date", "deposit_key")
        section = pl.col("section")
        heads_near = (part.heads.filter(section.is_between(ready[0].sections[0], closed)) for part in near)
        again = occurrences(pl.concat(heads_near))
        for part in ready:
            yield Piece(format="bgmax", frame=payments_frame(part.details, sections, again), issues=part.issues)
        self.given += [replace(part, details=part.details.clear()) for part in ready]
        self.waiting = self.waiting[len(ready) :]

    def end(self, *, accept_test: bool) -> Piece:
        """Return the sections, and what concerns the file as a whole."""
        sections = _sections(self.given)
        outline = pl.concat(part.outline for part in self.given)
        ends = [end for part in self.given for end in part.block.ends]
        records = sum((part.block.records for part in self.given), Counter())
        found = statements(sections, [part.sums for part in self.given])
        issues = itertools.chain(
            frame_issues(outline, [*ends[:1], *ends[-1:]], accept_test=accept_test),
            end_issues(outline, records),
            section_issues(sections, found),
            repeats(pl.concat(part.heads for part in self.given)),
        )
        nothing = payments_frame(
            self.given[0].details.clear(),
            sections.select("section", "account", "currency", "booking_date", "deposit_key"),
            occurrences(self.given[0].heads.clear()),
        )
        return Piece(format="bgmax", frame=nothing, issues=issues_frame(issues), statements=found)


def _sections(parts: list[_Part]) -> pl.DataFrame:
    firsts = pl.concat(part.firsts for part in parts).group_by("section", maintain_order=True)
    return sections_frame(pl.concat(part.outline for part in parts), firsts.agg(pl.col("row_number").min()))
