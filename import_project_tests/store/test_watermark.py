"""How far the ledger had come, kept beside it, on SQLite and on PostgreSQL."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from import_project.errors import ClaimLost
from import_project.records.audit import Act, Mark
from import_project.store.ledger import Ledger
from import_project.store.ledger.audit import append
from import_project.store.watermark import Watermark

NOW = datetime(2026, 11, 27, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def watermark(tmp_path: Path) -> Watermark:
    return Watermark(tmp_path / "beside" / "ledger.mark")


@pytest.fixture
def watched(ledger: Ledger, watermark: Watermark) -> Iterator[Ledger]:
    made = Ledger(ledger.database.url.render_as_string(hide_password=False), watermark)
    yield made
    made.close()


def act(ledger: Ledger, at: datetime, then: Exception | None = None) -> None:
    with ledger.database.write() as connection:
        append(ledger.database, connection, Act.DESK, {}, feed="f", file="x", by="ann", now=at)
        if then is not None:
            raise then


def known(watermark: Watermark) -> Mark:
    found = watermark.read()
    assert found is not None
    return found


def test_it_tells_of_the_last_entry_that_is_kept(watched: Ledger, watermark: Watermark) -> None:
    assert watermark.read() is None
    act(watched, NOW)
    act(watched, NOW + HOUR)
    first, *_, last = watched.audit.entries()
    assert known(watermark) == Mark(ledger=first.hash, number=last.number, hash=last.hash, at=NOW + HOUR)
    with pytest.raises(ClaimLost):
        act(watched, NOW, then=ClaimLost("overtaken"))
    with watched.database.write():
        pass  # what was rolled back is not told by the next transaction
    assert known(watermark).number == last.number
    assert watched.audit.missing_since() is None


def test_ledger_that_lacks_the_entry_is_older_since_its_last_one_of_that_time(
    watched: Ledger, watermark: Watermark
) -> None:
    act(watched, NOW)
    lost = replace(known(watermark), number=99, hash="f" * 64, at=NOW + 9 * HOUR)
    watermark.write(lost)
    assert watched.audit.missing_since() == NOW
    act(watched, NOW + 10 * HOUR)  # what comes after moves neither
    assert watched.audit.missing_since() == NOW
    assert watermark.read() == lost
    watched.audit.accept("ann", "seen", NOW + 11 * HOUR)
    assert watched.audit.missing_since() is None
    assert known(watermark).hash == list(watched.audit.entries())[-1].hash
    watermark.write(lost)  # another machine, whose watermark knows nothing of it
    assert watched.audit.missing_since() is None
    act(watched, NOW + 12 * HOUR)
    assert known(watermark).at == NOW + 12 * HOUR


def test_ledger_that_went_on_with_another_entry_is_older_too(watched: Ledger, watermark: Watermark) -> None:
    act(watched, NOW)
    act(watched, NOW + 2 * HOUR)
    watermark.write(replace(known(watermark), hash="f" * 64, at=NOW + HOUR))
    assert watched.audit.missing_since() == NOW


def test_another_ledger_has_nothing_of_what_was_done(watched: Ledger, watermark: Watermark) -> None:
    act(watched, NOW)
    watermark.write(replace(known(watermark), ledger="e" * 64, number=99))
    assert watched.audit.missing_since() == datetime(1970, 1, 1, tzinfo=UTC)


def test_acceptance_counts_where_a_clock_was_ahead(watched: Ledger, watermark: Watermark) -> None:
    act(watched, NOW)
    watermark.write(replace(known(watermark), number=99, at=NOW + 9 * HOUR))
    watched.audit.accept("ann", "seen", NOW)
    assert watched.audit.missing_since() is None


def test_what_a_power_cut_left_is_none(watched: Ledger, watermark: Watermark, tmp_path: Path) -> None:
    act(watched, NOW)
    file = tmp_path / "beside" / "ledger.mark"
    old = file.read_bytes()
    act(watched, NOW)
    new = file.read_bytes()
    half = old[: old.index(b'"', 70)] + new[old.index(b'"', 70) :]
    assert half not in {old, new}, "a sound line of the one's number and the other's hash"
    for left in (b"", b"\0" * 512, old[:40], b"[]", b'{"at": 1}', half):
        file.write_bytes(left)
        assert watermark.read() is None
        assert watched.audit.missing_since() is None
    act(watched, NOW + HOUR)
    assert known(watermark).at == NOW + HOUR


def test_one_that_cannot_be_written_is_told_and_fails_nothing(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "ledger.mark")
    made = Ledger(ledger.database.url.render_as_string(hide_password=False), Watermark(tmp_path / "link"))
    with caplog.at_level(logging.WARNING):
        act(made, NOW)
    made.close()
    assert [r.message for r in caplog.records] == ["no watermark"]
    assert len(list(ledger.audit.entries())) == 2
