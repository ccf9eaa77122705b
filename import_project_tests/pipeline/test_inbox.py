"""The inbox as a feed sets it up: when a file is ready, who may move it, where it goes, what comes again."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from import_project.config.load import LoadedFeed
from import_project.demo import files
from import_project.errors import ComesAgain, FileRefused, FileVanished, SourceDenied
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import see
from import_project.records.files import ArrivalState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax, drop_orders, only_outcome
from import_project_tests.servers import SftpPeer

OTHER = b"order_id;customer;ordered_on;amount;currency;items\nCD-000001;A;2026-11-21;1,00;SEK;1\n"


def states(parts: Parts) -> list[str]:
    return [o.state for o in parts.ledger.outcomes.all()]


def imported(installation: Installation, parts: Parts, feed: LoadedFeed, owner: str = "run-1") -> None:
    installation.run(parts, feed, installation.poll_until_ready(parts, feed), owner=owner)


def paths(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_file_waits_for_its_done_file_and_takes_it_along(installation: Installation, api: ApiPeer) -> None:
    feed = installation.changed("orders", done_file="{stem}.done", folders={"archive": "old"})
    parts = installation.parts()
    drop_orders(installation)
    for _ in range(3):
        assert installation.poll(parts, feed) == ()
    (installation.inbox / "orders_20261120.done").touch()
    (installation.inbox / "other.done").touch()  # of no file
    (request,) = installation.poll(parts, feed)
    installation.run(parts, feed, request)
    assert paths(installation.inbox) == {"old/orders_20261120.csv", "old/orders_20261120.done", "other.done"}
    drop_orders(installation, OTHER)
    for _ in range(3):
        assert installation.poll(parts, feed) == (), "the done-file of before is none for the next of that name"


def test_done_file_that_came_first(installation: Installation) -> None:
    feed = installation.changed("orders", done_file="{name}.done", pattern={"glob": "*"})
    parts = installation.parts()
    (installation.inbox / f"{files.ORDERS_NAME}.done").touch()
    assert installation.poll(parts, feed) == ()
    drop_orders(installation)
    assert installation.poll_until_ready(parts, feed).name == files.ORDERS_NAME


def test_file_that_a_writer_holds_open_is_not_ready(installation: Installation) -> None:
    parts = installation.parts()
    drop_orders(installation)
    with (installation.inbox / files.ORDERS_NAME).open("ab"):
        for _ in range(4):
            assert installation.poll(parts, "orders") == ()
        told = installation.changed("orders", source={"write_lease": False})
        assert len(installation.poll(parts, told)) == 1


def test_minimum_age_is_counted_by_our_clock(installation: Installation) -> None:
    feed = installation.changed("orders", min_age_seconds=60)
    parts = installation.parts()
    drop_orders(installation)
    os.utime(installation.inbox / files.ORDERS_NAME, (0, 0))
    for _ in range(5):
        assert installation.poll(parts, feed) == ()
    installation.clock.advance(seconds=60)
    assert len(installation.poll(parts, feed)) == 1


def test_read_only_server_keeps_its_files_and_each_is_imported_once(
    installation: Installation, sftp: SftpPeer, api: ApiPeer
) -> None:
    api.invoices = files.invoices()
    drop_bgmax(sftp)
    sftp.faults.deny = {"rename", "mkdir", "remove", "write"}
    feed = installation.changed("bankgiro", source={"read_only": True})
    parts = installation.parts()
    imported(installation, parts, feed)
    assert only_outcome(parts).counts.posted == 8
    for _ in range(3):
        assert installation.poll(parts, feed) == ()
    assert paths(sftp.root / "out") == {files.BGMAX_NAME}
    (sftp.root / "out" / files.BGMAX_NAME).write_bytes(files.bgmax().replace(b"2026112000056", b"2026112000066"))
    os.utime(sftp.root / "out" / files.BGMAX_NAME, (1_800_000_000, 1_800_000_000))
    imported(installation, parts, feed, "run-2")
    assert states(parts) == ["done", "done"]


def test_read_only_file_that_goes_before_its_run(installation: Installation, api: ApiPeer) -> None:
    feed = installation.changed("orders", source={"read_only": True})
    parts = installation.parts()
    drop_orders(installation)
    request = installation.poll_until_ready(parts, feed)
    (installation.inbox / files.ORDERS_NAME).unlink()
    with pytest.raises(FileVanished, match="gone before it was claimed"):
        installation.run(parts, feed, request)
    assert parts.ledger.arrivals.of("orders", request.partition).state is ArrivalState.VANISHED


@pytest.mark.parametrize(
    ("policy", "expected", "posted"), [("process", "done", 6), ("skip", "skipped", 5), ("quarantine", "failed", 5)]
)
@pytest.mark.parametrize("key", ["same_name_new_bytes", "same_facts_new_bytes"])
def test_known_name_with_new_bytes(
    installation: Installation, api: ApiPeer, key: str, policy: str, expected: str, posted: int
) -> None:
    feed = installation.changed("orders", again={key: policy})
    parts = installation.parts()
    content = files.orders_csv()
    for owner, dropped in (("run-1", content), ("run-2", content.replace(b"AB-000001", b"ZZ-000001"))):
        drop_orders(installation, dropped if key == "same_facts_new_bytes" else dropped + b"\r\n" * (owner == "run-2"))
        os.utime(installation.inbox / files.ORDERS_NAME, (1_700_000_000, 1_700_000_000))
        request = installation.poll_until_ready(parts, feed)
        if policy == "quarantine" and owner == "run-2":
            with pytest.raises(ComesAgain, match=r"look at it; files\.again"):
                installation.run(parts, feed, request, owner)
        else:
            installation.run(parts, feed, request, owner)
    assert states(parts) == ["done", expected]
    assert len(api.effects) == posted
    if expected == "failed":
        assert (installation.inbox / ".failed" / files.ORDERS_NAME).exists()
        installation.run(parts, feed, request, "by hand")  # a person has looked, and runs it
        assert states(parts) == ["done", "done"]


@pytest.mark.parametrize(("policy", "expected"), [("skip", "duplicate"), ("quarantine", "failed"), ("process", "done")])
def test_known_bytes_under_a_new_name_take_effect_once(
    installation: Installation, api: ApiPeer, policy: str, expected: str
) -> None:
    feed = installation.changed("orders", again={"new_name_same_bytes": policy})
    parts = installation.parts()
    drop_orders(installation)
    imported(installation, parts, feed)
    drop_orders(installation, name="orders (1).csv")
    request = installation.poll_until_ready(parts, feed)
    if policy == "quarantine":
        with pytest.raises(ComesAgain):
            installation.run(parts, feed, request, "run-2")
    else:
        installation.run(parts, feed, request, "run-2")
    assert states(parts) == ["done", expected]
    assert len(api.effects) == 5


def test_file_left_in_processing_by_a_lost_ledger_is_picked_up(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    held = installation.inbox / ".processing"
    held.mkdir()
    (held / f"0123456789-{files.ORDERS_NAME}").write_bytes(files.orders_csv())
    (held / "0123456789-not-ours.txt").write_bytes(b"x")
    drop_orders(installation, OTHER)  # a namesake in the inbox is a file of its own
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    installation.clock.advance(seconds=600)
    (adopted,) = installation.poll(parts, "orders")
    installation.run(parts, "orders", adopted, "run-2")
    assert states(parts) == ["done", "done"]
    assert len(api.effects) == 6
    archive = {p.rsplit("/", 1)[1].split(".dup")[0] for p in paths(installation.inbox) if p.startswith(".archive")}
    assert archive == {files.ORDERS_NAME}
    assert ".processing/0123456789-not-ours.txt" in paths(installation.inbox)


def test_stray_that_another_installation_finishes_is_left_alone(installation: Installation) -> None:
    parts = installation.parts()
    stray = installation.inbox / f".processing/0123456789-{files.ORDERS_NAME}"
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    installation.poll(parts, "orders")
    stray.rename(installation.inbox / "elsewhere")
    installation.clock.advance(seconds=600)
    for _ in range(3):
        assert installation.poll(parts, "orders") == ()
    assert parts.ledger.sightings.unended("orders") == []


def test_names_as_long_as_they_get(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    name = "orders" + "å" * 122 + ".csv"
    assert len(name.encode()) == 254
    for owner, content in (("run-1", files.orders_csv()), ("run-2", OTHER)):
        drop_orders(installation, content, name=name)
        installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"), owner)
    assert states(parts) == ["done", "done"]
    assert len(paths(installation.inbox)) == 2


def test_twins_in_two_normal_forms_are_two_files(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    drop_orders(installation, name="orders caf\u00e9.csv")
    drop_orders(installation, OTHER, name="orders cafe\u0301.csv")
    installation.poll(parts, "orders")
    requests = installation.poll(parts, "orders")
    assert len({r.partition for r in requests}) == 2
    for number, request in enumerate(requests):
        installation.run(parts, "orders", request, f"run-{number}")
    assert states(parts) == ["done", "done"]


def test_empty_file_is_refused_with_its_reason(installation: Installation) -> None:
    parts = installation.parts()
    drop_orders(installation, b"")
    request = installation.poll_until_ready(parts, "orders")
    with pytest.raises(FileRefused):
        installation.run(parts, "orders", request)
    assert states(parts) == ["failed"]
    assert paths(installation.inbox) == {f".failed/{files.ORDERS_NAME}"}


def test_one_empty_listing_by_mistake_ends_nothing(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    hidden = installation.inbox.rename(installation.home / "hidden")
    installation.inbox.mkdir()
    installation.poll(parts, "orders")
    installation.inbox.rmdir()
    hidden.rename(installation.inbox)
    installation.poll(parts, "orders")
    installation.run(parts, "orders", request)
    assert states(parts) == ["done"]


def test_fifo_starts_the_next_when_the_first_has_ended(installation: Installation, api: ApiPeer) -> None:
    feed = installation.changed("orders", order="fifo_by_name")
    parts = installation.parts()
    for number, content in ((9, files.orders_csv()), (10, OTHER)):
        drop_orders(installation, content, name=f"orders_{number}.csv")
    first = installation.poll_until_ready(parts, feed)
    assert first.name == "orders_9.csv"
    assert installation.poll(parts, feed) == ()
    installation.run(parts, feed, first)
    (second,) = installation.poll(parts, feed)
    assert second.name == "orders_10.csv"


def test_folder_that_leads_out_of_the_inbox_is_refused(installation: Installation, tmp_path: Path) -> None:
    parts = installation.parts()
    outside = tmp_path / "outside"
    outside.mkdir()
    (installation.inbox / ".processing").symlink_to(outside)
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    (problem,) = asyncio.run(see(parts, installation.feed("orders"))).problems
    assert "leads out of the inbox" in problem
    with pytest.raises(SourceDenied, match="leads out of the inbox"):
        installation.run(parts, "orders", request)
    assert list(outside.iterdir()) == []


def test_absolute_folders(installation: Installation, api: ApiPeer, tmp_path: Path) -> None:
    places: dict[str, Any] = {"processing": f"{tmp_path}/held", "archive": f"{tmp_path}/old/{{YYYY-MM-DD}}"}
    feed = installation.changed("orders", folders=places)
    parts = installation.parts()
    drop_orders(installation)
    imported(installation, parts, feed)
    assert paths(installation.inbox) == set()
    assert [p.name for p in (tmp_path / "old").rglob("*.csv")] == [files.ORDERS_NAME]


def next_of_its_name(installation: Installation) -> None:
    drop_orders(installation, OTHER)
    os.utime(installation.inbox / files.ORDERS_NAME, (1_800_000_000, 1_800_000_000))


def test_file_that_a_late_claimer_took_by_mistake_is_found_again(installation: Installation, api: ApiPeer) -> None:
    """A run that slept between its ledger entry and its rename, while another did the work, takes the next namesake."""
    parts = installation.parts()
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    installation.run(parts, "orders", request)
    held = parts.ledger.arrivals.of("orders", request.partition).claimed_as or ""
    next_of_its_name(installation)
    (installation.inbox / files.ORDERS_NAME).rename(installation.inbox / held)
    installation.poll(parts, "orders")
    installation.clock.advance(seconds=600)
    (adopted,) = installation.poll(parts, "orders")
    installation.run(parts, "orders", adopted, "run-2")
    assert states(parts) == ["done", "done"]
    assert len(api.effects) == 6


def test_trouble_with_setting_aside_hides_no_new_file(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    parts = installation.parts()
    for number in range(3):
        drop_bgmax(sftp, b"no bank file %d" % number, name=f"BGMAX_{number}.txt")
    installation.poll(parts, "bankgiro")
    for number, request in enumerate(installation.poll(parts, "bankgiro")):
        with pytest.raises(FileRefused):
            installation.run(parts, "bankgiro", request, f"run-{number}")
    with parts.ledger.database.write() as connection:  # as if none had been moved yet
        connection.exec_driver_sql("UPDATE arrivals SET set_aside_at=NULL")
    for moved in (sftp.root / "out/.failed").iterdir():
        moved.rename(
            sftp.root
            / "out/.processing"
            / next(
                a.claimed_as.rsplit("/", 1)[1]
                for a in parts.ledger.sightings.unended("bankgiro")
                if a.claimed_as and a.name == moved.name
            )
        )
    sftp.faults.deny.add("rename")
    drop_bgmax(sftp)
    for _ in range(2):
        seen = asyncio.run(see(parts, installation.feed("bankgiro")))
        installation.clock.advance(seconds=5)
    assert [r.name for r in seen.requests] == [files.BGMAX_NAME]
    (problem,) = seen.problems
    assert "(and 2 more files)" in problem


def test_bytes_that_were_skipped_for_their_name_are_imported_under_another(
    installation: Installation, api: ApiPeer
) -> None:
    feed = installation.changed("orders", again={"same_name_new_bytes": "skip"})
    parts = installation.parts()
    drop_orders(installation)
    imported(installation, parts, feed)
    next_of_its_name(installation)
    imported(installation, parts, feed, "run-2")
    drop_orders(installation, OTHER, name="orders_renamed.csv")
    imported(installation, parts, feed, "run-3")
    assert states(parts) == ["done", "skipped", "done"]
    assert len(api.effects) == 6


def test_feed_that_turns_read_only_loses_no_file_that_is_held(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    drop_orders(installation)
    request = installation.poll_until_ready(parts, "orders")
    arrival, claim = parts.ledger.arrivals.claim(
        "orders", request.partition, owner="killed", now=parts.clock(), lease=parts.lease
    )
    held = installation.inbox / ".processing" / f"0123456789-{arrival.name}"
    parts.ledger.arrivals.moved(claim, f".processing/{held.name}")
    held.parent.mkdir()
    (installation.inbox / arrival.name).rename(held)
    installation.clock.advance(minutes=5)
    read_only = installation.changed("orders", source={"read_only": True})
    installation.run(parts, read_only, request, "next")
    assert states(parts) == ["done"]
    assert held.exists(), "nothing is moved on a read-only source"


def test_done_file_that_is_held_is_no_stray(installation: Installation) -> None:
    feed = installation.changed("orders", done_file="{name}.done", pattern={"glob": "*"})
    parts = installation.parts()
    held = installation.inbox / ".processing"
    held.mkdir()
    (held / "0123456789-a.csv.done").touch()
    installation.poll(parts, feed)
    installation.clock.advance(hours=1)
    assert installation.poll(parts, feed) == ()


def test_old_done_file_of_a_read_only_inbox_is_none_for_a_new_file(installation: Installation, api: ApiPeer) -> None:
    feed = installation.changed("orders", done_file="{name}.done", source={"read_only": True})
    parts = installation.parts()
    done_file = installation.inbox / f"{files.ORDERS_NAME}.done"
    drop_orders(installation)
    done_file.touch()
    imported(installation, parts, feed)
    next_of_its_name(installation)
    for _ in range(3):
        assert installation.poll(parts, feed) == ()
    os.utime(done_file, (1_800_000_000, 1_800_000_000))
    assert len(installation.poll(parts, feed)) == 1


def test_three_strays_of_one_name_all_find_a_place(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    held = installation.inbox / ".processing"
    held.mkdir()
    for number in range(3):
        (held / f"{number:010}-{files.ORDERS_NAME}").write_bytes(OTHER.replace(b"CD-000001", b"CD-00001%d" % number))
        os.utime(held / f"{number:010}-{files.ORDERS_NAME}", (1_700_000_000 + number, 1_700_000_000 + number))
    installation.poll(parts, "orders")
    installation.clock.advance(seconds=600)
    for number, request in enumerate(installation.poll(parts, "orders")):
        installation.run(parts, "orders", request, f"run-{number}")
    assert states(parts) == ["done"] * 3
    assert len([p for p in paths(installation.inbox) if p.startswith(".archive")]) == 3


def test_file_with_an_mtime_beyond_all_calendars(installation: Installation, sftp: SftpPeer) -> None:
    parts = installation.parts()
    drop_bgmax(sftp)
    os.utime(sftp.root / "out" / files.BGMAX_NAME, (4_294_967_295, 4_294_967_295))
    assert installation.poll_until_ready(parts, "bankgiro").name == files.BGMAX_NAME


def test_dated_file_that_waits_over_midnight_is_not_given_up(installation: Installation, api: ApiPeer) -> None:
    now = installation.clock()
    pattern = {"dated": "orders_{YYYYMMDD}.csv", "days_back": 0}
    feed = installation.changed("orders", pattern=pattern)
    parts = installation.parts()
    drop_orders(installation, name=f"orders_{now:%Y%m%d}.csv")
    request = installation.poll_until_ready(parts, feed)
    installation.clock.advance(hours=25)
    for _ in range(3):
        installation.poll(parts, feed)
    installation.run(parts, feed, request)
    assert states(parts) == ["done"]


def test_read_only_inbox_that_was_all_ended_is_looked_at_again_when_anything_changes(
    installation: Installation, api: ApiPeer
) -> None:
    feed = installation.changed("orders", source={"read_only": True})
    parts = installation.parts()
    drop_orders(installation)
    imported(installation, parts, feed)
    for _ in range(2):
        assert installation.poll(parts, feed) == ()
    assert parts.ledger.sightings.all_ended("orders") is not None
    drop_orders(installation, OTHER, name="orders_2.csv")
    imported(installation, parts, feed, "run-2")
    next_of_its_name(installation)
    imported(installation, parts, feed, "run-3")
    assert states(parts) == ["done", "done", "duplicate"]
