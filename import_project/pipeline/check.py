"""What would happen to a file of a feed: everything is walked through as in a run, nothing is kept, called or sent.

What earlier files brought is not looked up: the ledger is state, and is not touched.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import SEEK_END
from typing import Any, BinaryIO

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.errors import NotRecognised
from import_project.formats.registry import read_whole, recognises, row_format
from import_project.formats.trial import try_out
from import_project.frames import IDENTITY, ROW_NUMBER, Part, issues_frame
from import_project.pipeline.requests import request_of
from import_project.pipeline.skip import left_out
from import_project.validation.payments import split_payments
from import_project.validation.split import Split, kept_of, split_rows

_HEAD = 1 << 18
_MOST_TOLD = 10_000

#: Opens the file from its start; it may be read more than once.
Open = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(kw_only=True)
class Checked:
    """The counts a run would end with. `refused` says why nothing would be posted; `first` is the first body or
    payment.

    `issues` are the first that were found, `reasons` how often each rule was broken: (severity, column, rule).
    """

    feed: str
    format: str
    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    skipped: int = 0
    refused: str | None = None
    posted_to: str = ""
    first: Mapping[str, Any] | None = None
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    issues: pl.DataFrame = field(default_factory=lambda: issues_frame([]))
    quarantined_rows: pl.DataFrame | None = None

    @property
    def would_post(self) -> int:
        """How many rows or payments would be posted, if none came with an earlier file."""
        return 0 if self.refused else self.accepted - self.skipped

    def take_in(self, split: Split) -> None:
        """Count one piece of the file."""
        self.rows += split.rows
        self.accepted += split.accepted.height
        self.quarantined += split.quarantined.height
        for severity, column, rule, count in split.issues.group_by("severity", "column", "rule").len().iter_rows():
            self.reasons[severity, column or "", rule] += count
        if self.issues.height < _MOST_TOLD:
            self.issues = pl.concat([self.issues, split.issues]).head(_MOST_TOLD)
            kept = self.quarantined_rows
            rows = split.quarantined if kept is None else pl.concat([kept, split.quarantined])
            self.quarantined_rows = rows.head(_MOST_TOLD)


def check_file(loaded: LoadedFeed, open_file: Open) -> Checked:
    """Walk a file through a feed. Raises FileRefused for what a run would refuse before any row is looked at."""
    form = loaded.feed.format
    with open_file() as content:
        if not recognises(form.kind, content.read(_HEAD), loaded.format_options):
            raise NotRecognised(f"the content is not {form.kind}", do="look at it with `import-project inspect`")
        try_out(form.kind, content, loaded.format_options)
    checked = Checked(feed=loaded.name, format=form.kind)
    if loaded.schema is None:
        _check_payments(loaded, open_file, checked)
    else:
        _check_rows(loaded, open_file, checked)
    return checked


def _check_payments(loaded: LoadedFeed, open_file: Open, checked: Checked) -> None:
    with open_file() as content:
        reading = read_whole(loaded.feed.format.kind, content, loaded.format_options)
    post = loaded.feed.post
    places = [(post.matched, post.on_matched), (post.unmatched, post.on_unmatched)]
    checked.posted_to = " or ".join(one.path if one is not None else str(call) for one, call in places)
    if reading.file_errors.height:
        checked.refused = f"{reading.file_errors['rule'][0]}: {reading.file_errors['message'][0]}"
        checked.issues, checked.rows = reading.issues, reading.frame.height
        return
    checked.take_in(split_payments(reading))


def _check_rows(loaded: LoadedFeed, open_file: Open, checked: Checked) -> None:
    schema = loaded.schema
    assert schema is not None
    rows = loaded.feed.post.rows
    checked.posted_to = rows.path if rows is not None else str(loaded.feed.post.on_row)
    with open_file() as content:
        kept = kept_of(content.seek(0, SEEK_END))
    rules, transform = schema.compiled, loaded.callbacks.transform
    for split in split_rows(_reader(loaded, open_file), rules, transform=transform, kept_bytes=kept):
        checked.take_in(split)
        if not split.accepted.height:
            continue
        out = left_out(loaded, split.accepted)
        checked.skipped += sum(out)
        for row, left in zip(split.accepted.iter_rows(named=True), out, strict=True):
            if checked.first is not None:
                break
            if not left:
                values = {k: v for k, v in row.items() if k not in {ROW_NUMBER, IDENTITY}}
                checked.first = json.loads(request_of(rows.endpoint if rows else None, values)["body"])
    checked.refused = schema.limits.broken_by(checked.quarantined, checked.rows)


def _reader(loaded: LoadedFeed, open_file: Open) -> Callable[[], Iterable[Part]]:
    def read() -> Iterator[Part]:
        with open_file() as content:
            yield from row_format(loaded.feed.format.kind).parts(content, **loaded.format_options)

    return read
