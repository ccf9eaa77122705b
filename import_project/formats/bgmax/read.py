"""A BgMax file, read in one pass over its lines. No decision about what may be booked."""

import itertools

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
from import_project.frames import Reading, issues_frame


def read(content: bytes, *, accept_test: bool = False) -> Reading:
    """Read `content` into payments, sections and findings.

    Raises NotRecognised when it is not BgMax. Everything else that is wrong is an issue: with neither row nor section
    for the file, with a section for all its payments, with a row for one payment.
    """
    if not recognise(content):
        raise NotRecognised("the content is not BgMax: no start record 01 with layout BGMAX")
    lines = lines_frame(decode_nordic(content))
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
    return Reading(
        format="bgmax",
        frame=payments_frame(members, payments, extras, parts, places),
        issues=issues_frame(issues),
        statements=found,
    )
