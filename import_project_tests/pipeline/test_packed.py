"""Packed files through an installation: what comes out is imported like any other, once."""

import gzip
import io
import zipfile

import pytest

from import_project.config.load import LoadedFeed
from import_project.demo import files
from import_project.errors import NotAllowed, NotRecognised
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_orders
from import_project_tests.pipeline.test_inbox import OTHER, imported, paths, states


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_dot_", "."), content)
    return out.getvalue()


def packing(installation: Installation, **unpack: object) -> LoadedFeed:
    return installation.changed("orders", pattern={"glob": "*"}, unpack=unpack)


def test_compressed_file_is_its_content(installation: Installation, api: ApiPeer) -> None:
    feed = packing(installation)
    parts = installation.parts()
    drop_orders(installation, gzip.compress(files.orders_csv()), name="orders.csv.gz")
    imported(installation, parts, feed)
    assert states(parts) == ["done"]
    assert len(api.effects) == 5
    drop_orders(installation, gzip.compress(files.orders_csv(), mtime=7), name="again.gz")
    imported(installation, parts, feed, "run-2")
    assert states(parts) == ["done", "duplicate"], "the content is known, however it was compressed"
    assert parts.landing.workshop().exists()
    assert list(parts.landing.workshop().iterdir()) == []


def test_files_in_an_archive_are_files_of_their_own(installation: Installation, api: ApiPeer) -> None:
    feed = packing(installation, members="*.csv")
    parts = installation.parts()
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv(), b_dot_csv=OTHER, read_dot_me=b"x"), name="day.zip")
    request = installation.poll_until_ready(parts, feed)
    assert installation.run(parts, feed, request) == {}
    inside = installation.poll(parts, feed)
    assert [r.name for r in inside] == ["day.zip!a.csv", "day.zip!b.csv"]
    for number, each in enumerate(inside):
        installation.run(parts, feed, each, f"run-{number}")
    assert states(parts) == ["unpacked", "done", "done"]
    assert parts.ledger.outcomes.all()[0].error == "not taken: read.me"
    assert len(api.effects) == 6
    assert [p.rsplit("/", 1)[1] for p in paths(installation.inbox)] == ["day.zip"]


def test_archive_that_is_unpacked_twice_after_a_kill_brings_each_file_once(
    installation: Installation, api: ApiPeer
) -> None:
    feed = packing(installation)
    parts = installation.parts()
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv(), b_dot_csv=OTHER), name="day.zip")
    request = installation.poll_until_ready(parts, feed)
    arrival, claim = parts.ledger.arrivals.claim(
        "orders", request.partition, owner="killed", now=parts.clock(), lease=parts.lease
    )
    installation.run(parts, feed, request, "killed")
    with parts.ledger.database.write() as connection:  # as if killed before its end was written
        connection.exec_driver_sql("UPDATE arrivals SET state='claimed', set_aside_at=NULL WHERE id=1")
        connection.exec_driver_sql("DELETE FROM outcomes")
    (installation.inbox / ".processing").mkdir(exist_ok=True)
    (moved,) = (installation.inbox / ".archive").rglob("day.zip")
    moved.rename(installation.inbox / parts.ledger.arrivals.of("orders", request.partition).claimed_as)  # type: ignore[operator]
    installation.run(parts, feed, request, "next")
    assert len([a for a in parts.ledger.arrivals.unfinished("orders") if a.container == arrival.id]) == 2
    assert claim.arrival_id == arrival.id


def test_packed_file_where_none_is_agreed(installation: Installation) -> None:
    parts = installation.parts()
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv()))
    request = installation.poll_until_ready(parts, "orders")
    with pytest.raises(NotRecognised, match=r"it is packed \(zip\): say files.unpack"):
        installation.run(parts, "orders", request)


@pytest.mark.parametrize("cap", [{"max_members": 1}, {"max_bytes": 100}, {"max_depth": 1, "members": "*"}])
def test_caps_are_the_feeds(installation: Installation, cap: dict[str, object]) -> None:
    feed = packing(installation, **cap)
    parts = installation.parts()
    inner = zipped(c_dot_csv=files.orders_csv())
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv(), b_dot_zip=inner), name="day.zip")
    request = installation.poll_until_ready(parts, feed)
    with pytest.raises(NotAllowed):
        installation.run(parts, feed, request)
    assert states(parts) == ["failed"]
    assert paths(installation.inbox) == {".failed/day.zip"}


def test_archive_that_is_run_again_takes_nothing_from_the_inbox(installation: Installation, api: ApiPeer) -> None:
    feed = packing(installation)
    parts = installation.parts()
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv()), name="day.zip")
    request = installation.poll_until_ready(parts, feed)
    installation.run(parts, feed, request)
    drop_orders(installation, zipped(a_dot_csv=OTHER), name="day.zip")
    installation.run(parts, feed, request, "by hand")
    assert states(parts) == ["unpacked"]
    assert (installation.inbox / "day.zip").exists()
    assert len(parts.ledger.arrivals.unfinished("orders")) == 1


def test_archive_that_was_refused_is_unpacked_when_its_caps_are_raised(
    installation: Installation, api: ApiPeer
) -> None:
    parts = installation.parts()
    drop_orders(installation, zipped(a_dot_csv=files.orders_csv(), b_dot_csv=OTHER), name="day.zip")
    small = packing(installation, max_members=1)
    request = installation.poll_until_ready(parts, small)
    with pytest.raises(NotAllowed):
        installation.run(parts, small, request)
    installation.run(parts, packing(installation), request, "by hand")
    assert states(parts) == ["unpacked"]
    assert len(parts.ledger.arrivals.unfinished("orders")) == 2
