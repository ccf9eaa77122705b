"""The local folder."""

import os
from pathlib import Path

import pytest

from import_project.errors import SourceUnreachable
from import_project.sources.local import LocalSource
from import_project_tests.sources.contract import SourceContract, listing, use


class TestLocal(SourceContract):
    @pytest.fixture
    def inbox(self, tmp_path: Path) -> Path:
        path = tmp_path / "inbox"
        path.mkdir()
        return path

    @pytest.fixture
    def source(self, inbox: Path) -> LocalSource:
        return LocalSource(inbox)

    def test_missing_folder_is_an_error_and_not_an_empty_inbox(self, tmp_path: Path) -> None:
        with pytest.raises(SourceUnreachable, match="is no folder"):
            listing(LocalSource(tmp_path / "gone"))

    def test_claim_cut_off_between_link_and_unlink_is_finished(self, inbox: Path, source: LocalSource) -> None:
        self.drop(inbox)
        (inbox / ".processing").mkdir()
        os.link(inbox / "a.csv", inbox / self.HELD)
        assert use(source, lambda s: s.claim("a.csv", self.HELD)) is True
        assert not (inbox / "a.csv").exists()

    def test_set_aside_cut_off_between_link_and_unlink_is_finished(self, inbox: Path, source: LocalSource) -> None:
        for folder in (".processing", ".failed"):
            (inbox / folder).mkdir()
        self.drop(inbox, self.HELD)
        os.link(inbox / self.HELD, inbox / ".failed/a.csv")
        place = use(source, lambda s: s.set_aside(self.HELD, ".failed/a.csv", if_taken=".failed/a.csv.dup-1"))
        assert place == ".failed/a.csv"
        assert not (inbox / self.HELD).exists()

    def test_names_that_are_no_text_are_told_and_left(self, inbox: Path, source: LocalSource) -> None:
        (Path(os.fsdecode(os.fsencode(inbox) + b"/caf\xe9.csv"))).write_bytes(b"x")
        found = listing(source)
        assert found.files == ()
        assert found.unsafe == ("caf\\\\udce9.csv",)
