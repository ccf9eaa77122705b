"""A BgMax file, read in one pass over its lines. No decision about what may be booked."""

import itertools
from collections.abc import Iterator
from typing import BinaryIO

from import_project.errors import NotRecognised
from import_project.formats.bgmax.layout import lines_frame, recognise
from import_project.formats.bgmax.payments import base_payments, extra_references, grouped, part_sums, payments_frame
from import_project.formats.bgmax.totals import (
    end_issues,
    frame_issues,
    group_issues,
    section_issues,
    sections_frame,
    statements,
)
from import_project.formats.text import decode_nordic
from import_project.frames import Piece, issues_frame


def pieces(content: BinaryIO, *, accept_test: bool = False) -> Iterator[Piece]:
    """Read `content` into payments, sections and findings; a file is one piece.

    Raises NotRecognised when it is not BgMax. Everything else that is wrong is an issue: with neither row nor section
    for the file, with a section for all its payments, with a row for one payment.
    """
    whole_file = content.read()
    if not recognise(whole_file):
        raise NotRecognised("the content is not BgMax: no start record 01 with layout BGMAX")
    lines = lines_frame(decode_nordic(whole_file))
    members = grouped(lines)
    payments = base_payments(members)
    extras = extra_references(members)
    parts = part_sums(extras, payments)
    sections = sections_frame(lines)
    found = statements(sections, payments)
    issues = itertools.chain(
        frame_issues(lines, accept_test=accept_test),
        end_issues(lines),
        section_issues(sections, found),
        group_issues(members, payments, extras, parts),
    )
    places = sections.select("section", "receiver", "account", "currency", "booking_date", "deposit")
    yield Piece(
        format="bgmax",
        frame=payments_frame(members, payments, extras, parts, places),
        issues=issues_frame(issues),
        statements=found,
    )
