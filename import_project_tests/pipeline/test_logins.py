"""A login that is refused is tried less and less often, and at once where something was done about it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from import_project.errors import ConfigError, LoginRefused, LoginSpared, SourceUnreachable
from import_project.pipeline.doctor import examine
from import_project.pipeline.hold import run_step
from import_project.pipeline.logins import next_login
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.pipeline.steps import steps_of
from import_project.records.files import Refusals
from import_project.sources.base import Source
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax
from import_project_tests.servers import SftpPeer

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (100_000, 60)]
)
def test_each_pause_is_twice_the_one_before_up_to_an_hour(count: int, minutes: int) -> None:
    refusals = Refusals(count=count, last_at=NOW, tried_with="", error="")
    assert next_login(refusals) - NOW == timedelta(minutes=minutes)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("wrong-password", "utf-8")
    return path


@pytest.fixture
def locked_out(installation: Installation, secret: Path) -> Installation:
    return installation.rewrite("bankgiro", source={"password": {"file": str(secret)}, "key": None})


def poll_for(installation: Installation, parts: Parts, span: timedelta) -> None:
    """Poll at the feed's own pace; each poll is to fail for the login."""
    until = installation.clock() + span
    while installation.clock() < until:
        with pytest.raises(LoginRefused):
            installation.poll(parts, "bankgiro")


def test_refused_login_is_tried_less_and_less_often(locked_out: Installation, sftp: SftpPeer) -> None:
    parts = locked_out.parts()
    poll_for(locked_out, parts, timedelta(minutes=12))
    assert sftp.faults.passwords == 4, "at once, and after one, two and four minutes"
    with pytest.raises(LoginSpared, match="refused 4 times, and is not tried before") as spared:
        locked_out.poll(parts, "bankgiro")
    assert spared.value.line.count("feed bankgiro") == 1
    assert "import-project doctor bankgiro" in spared.value.line
    assert "login refused" in parts.ledger.sightings.poll_errors()["bankgiro"], "the reason is not lost"


def test_secret_that_was_changed_is_tried_at_once(locked_out: Installation, sftp: SftpPeer, secret: Path) -> None:
    parts = locked_out.parts()
    poll_for(locked_out, parts, timedelta(minutes=12))
    secret.write_text("right-password", "utf-8")
    assert locked_out.poll(parts, "bankgiro") == ()
    assert parts.ledger.sightings.refusals("bankgiro") is None, "being let in begins anew"


def test_feed_that_was_changed_is_tried_at_once(locked_out: Installation, sftp: SftpPeer) -> None:
    parts = locked_out.parts()
    poll_for(locked_out, parts, timedelta(minutes=5))
    tried = sftp.faults.passwords
    locked_out.rewrite("bankgiro", source={"username": "acme2"})
    with pytest.raises(LoginRefused) as refused:
        locked_out.poll(parts, "bankgiro")
    assert not isinstance(refused.value, LoginSpared)
    assert sftp.faults.passwords == tried + 1


def test_doctor_tries_at_once_and_ends_the_pause_if_it_is_let_in(installation: Installation, sftp: SftpPeer) -> None:
    wrong = installation.rewrite("bankgiro", source={"password": {"env": "BANK_PASSWORD"}, "key": None})
    parts, environ = wrong.parts(), dict(wrong.environ)
    with pytest.raises(ConfigError, match="BANK_PASSWORD"):
        wrong.poll(parts, "bankgiro")
    wrong = Installation(home=wrong.home, environ=environ | {"BANK_PASSWORD": "wrong-password"}, clock=wrong.clock)
    parts = wrong.parts()
    poll_for(wrong, parts, timedelta(minutes=12))
    assert not asyncio.run(_is_let_in(parts, wrong))
    with pytest.raises(LoginSpared):
        wrong.poll(parts, "bankgiro")
    right = Installation(home=wrong.home, environ=environ | {"BANK_PASSWORD": "right-password"}, clock=wrong.clock)
    assert asyncio.run(_is_let_in(right.parts(), right))
    assert right.poll(right.parts(), "bankgiro") == ()


async def _is_let_in(parts: Parts, installation: Installation) -> bool:
    found = [finding async for finding in examine(parts, installation.feed("bankgiro"))]
    return found[0].ok


def test_runs_spare_the_login_too(locked_out: Installation, sftp: SftpPeer, secret: Path) -> None:
    """Files are ready when the password is changed at the partner: their runs try it once between them."""
    secret.write_text("right-password", "utf-8")
    parts = locked_out.parts()
    for name in ("BGMAX_20261120_001.txt", "BGMAX_20261120_002.txt", "BGMAX_20261120_003.txt"):
        drop_bgmax(sftp, name=name)
    assert locked_out.poll(parts, "bankgiro") == ()
    requests = locked_out.poll(parts, "bankgiro")
    secret.write_text("wrong-password", "utf-8")
    tried = sftp.faults.passwords
    for request in requests * 3:
        with pytest.raises(LoginRefused):
            locked_out.run(parts, "bankgiro", request)
    assert (len(requests), sftp.faults.passwords - tried) == (3, 1)


def test_problem_is_told_in_the_same_words_while_the_login_is_spared(
    locked_out: Installation, sftp: SftpPeer, secret: Path
) -> None:
    """A file that has landed wants its run, so the poll does not fail; each new text would be a new alert."""
    secret.write_text("right-password", "utf-8")
    parts, feed = locked_out.parts(), locked_out.feed("bankgiro")
    drop_bgmax(sftp)
    request = locked_out.poll_until_ready(parts, "bankgiro")
    run_step(parts, feed, request.partition, owner="run-1", step=steps_of(feed)["receive"])
    secret.write_text("wrong-password", "utf-8")
    told = set[str]()
    for _ in range(10):
        locked_out.clock.advance(minutes=5)
        told |= set(asyncio.run(see(parts, feed)).problems)
    assert len(told) == 1


def test_connection_that_fails_is_tried_at_every_poll(installation: Installation, sftp: SftpPeer) -> None:
    drop_bgmax(sftp)
    away = installation.changed("bankgiro", source={"port": 9})
    parts = installation.parts()
    for _ in range(5):
        with pytest.raises(SourceUnreachable):
            installation.poll(parts, away)
    assert installation.poll(parts, "bankgiro") == ()
    assert len(installation.poll(parts, "bankgiro")) == 1


def test_refusal_of_a_source_that_locks_no_account_is_told_and_not_spared(installation: Installation) -> None:
    """As of a bucket: no session is begun, and keys are no account."""

    def refused(_feed: object) -> Source:
        raise LoginRefused("the keys are wrong")

    parts = replace(installation.parts(), open_source=refused)
    for _ in range(5):
        with pytest.raises(LoginRefused) as error:
            installation.poll(parts, "orders")
        assert not isinstance(error.value, LoginSpared)
    assert parts.ledger.sightings.poll_errors()["orders"] == "feed orders: the keys are wrong"
