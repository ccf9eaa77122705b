"""The local folder."""

import os
from pathlib import Path

import pytest

from import_project.errors import SourceDenied, SourceUnreachable
from import_project.records.files import Staged
from import_project.sources.local import LocalSource
from import_project_tests.sources.contract import FolderContract, FolderInbox, aside, claim, listing, use


@pytest.fixture
def inbox(tmp_path: Path) -> FolderInbox:
    return FolderInbox(tmp_path / "inbox")


@pytest.fixture
def source(inbox: FolderInbox) -> LocalSource:
    return LocalSource(inbox.root)


class TestLocal(FolderContract):
    pass


HELD = Staged(name="a.csv", held_as=TestLocal.HELD)


def test_missing_folder_is_an_error_and_not_an_empty_inbox(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="is no folder"):
        listing(LocalSource(tmp_path / "gone"))


def test_names_that_are_no_text_are_told_and_left(inbox: FolderInbox, source: LocalSource) -> None:
    (Path(os.fsdecode(os.fsencode(inbox.root) + b"/caf\xe9.csv"))).write_bytes(b"x")
    found = listing(source)
    assert found.files == ()
    assert found.unsafe == ("caf\\\\udce9.csv",)


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_open_writer_is_seen(inbox: FolderInbox, source: LocalSource, mode: str) -> None:
    inbox.drop()
    with (inbox.root / "a.csv").open(mode):
        assert use(source, lambda s: s.being_written("a.csv")) is True
    assert use(source, lambda s: s.being_written("a.csv")) is False


def test_folder_that_a_sender_turned_into_a_link_is_refused(
    inbox: FolderInbox, source: LocalSource, tmp_path: Path
) -> None:
    inbox.drop()
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (".processing", ".archive"):
        (inbox.root / folder).symlink_to(outside)
    with pytest.raises(SourceDenied, match="leads out of the inbox"):
        claim(source, HELD)
    with pytest.raises(SourceDenied, match="leads out of the inbox"):
        aside(source, Staged(name="a.csv", held_as="a.csv"), ".archive/2026/a.csv")
    assert list(outside.iterdir()) == []
    assert inbox.paths() == {"a.csv"}


def test_pipe_in_a_held_files_place_does_not_hang(inbox: FolderInbox, source: LocalSource) -> None:
    (inbox.root / ".processing").mkdir()
    os.mkfifo(inbox.root / HELD.held_as)

    async def read(ready: LocalSource) -> bytes:
        return b"".join([chunk async for chunk in ready.open(HELD, 5)])

    with pytest.raises(SourceDenied, match="no regular file"):
        use(source, read)  # type: ignore[arg-type]


def test_absolute_folder_on_another_file_system(inbox: FolderInbox, source: LocalSource) -> None:
    elsewhere = Path("/dev/shm") / f"import-project-{os.getpid()}"
    assert inbox.root.stat().st_dev != Path("/dev/shm").stat().st_dev, "this test needs two file systems"
    inbox.drop()
    assert claim(source, HELD)
    target = f"{elsewhere}/a.csv"
    try:
        elsewhere.mkdir()
        (elsewhere / "a.csv").write_bytes(b"older")
        for _ in range(2):
            assert aside(source, HELD, target, f"{target}.dup-1") == f"{target}.dup-1"
        assert (elsewhere / "a.csv.dup-1").read_bytes() == b"hello"
        assert inbox.paths() == set()
    finally:
        for file in elsewhere.iterdir():
            file.unlink()
        elsewhere.rmdir()
