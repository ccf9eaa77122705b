"""A kill, or the sender, between every two steps of claiming an object and setting it aside."""

from dataclasses import replace
from pathlib import Path

import pytest

from import_project.errors import (
    FileVanished,
)
from import_project.records.files import Staged
from import_project.sources.base import Source
from import_project.sources.object_login import ObjectPlace
from import_project.sources.object_store import ObjectStoreSource
from import_project.store.landing import Landing
from import_project_tests.sources.contract import (
    Inbox,
    names,
    received,
    use,
)
from import_project_tests.sources.object_contract import (
    TAKEN,
    TARGET,
    BucketInbox,
    CutOffError,
    ObjectContract,
    Steps,
    cut_off,
    disturbed,
    seen,
    shown,
)


class CrashContract(ObjectContract):
    """What must hold whatever comes between."""

    def test_claim_cut_off_after_any_step(self, inbox: BucketInbox, place: ObjectPlace) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 9):
                inbox.drop()
                file = await seen(calm)
                steps.arm(step, cut_off)
                try:
                    assert await shaky.claim(file) is True
                except CutOffError:
                    first = step == 1  # only looked: anybody may still have it
                    rival = replace(file, held_as=".processing/9-a.csv")
                    assert await calm.claim(rival) is first
                    assert await calm.claim(file) is not first
                    assert await shown(calm) == set()
                    assert await calm.set_aside(rival if first else file, TARGET, if_taken=TAKEN) == TARGET
                    self.one_at(inbox, TARGET)
                    self.empty(inbox)
                    continue
                assert step == 4
                return
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("content", [b"hello", b""])
    @pytest.mark.parametrize("older", [False, True])
    def test_set_aside_cut_off_after_any_step(
        self, inbox: BucketInbox, place: ObjectPlace, content: bytes, older: bool
    ) -> None:
        expected = TAKEN if older else TARGET

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 20):
                if older:
                    inbox.drop(TARGET, b"older")
                inbox.drop(content=content)
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, cut_off)
                try:
                    await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except CutOffError:
                    assert await shown(calm) == set()  # neither shown again nor lost on the way
                    assert content in {inbox.read("a.csv"), inbox.read(expected)}
                    for _ in range(2):
                        assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == expected
                    assert inbox.paths() == ({TARGET, TAKEN} if older else {TARGET})
                    assert inbox.read(expected) == content
                    self.empty(inbox)
                    continue
                assert step > 10
                return
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("newer", [b"newer", b"a longer one"])
    def test_sender_replaces_after_any_step_of_setting_aside(
        self, inbox: BucketInbox, place: ObjectPlace, newer: bytes
    ) -> None:
        async def replaced() -> None:
            inbox.drop(content=newer)

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            ends: set[str | None] = set()
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, replaced)
                try:
                    at: str | None = await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except FileVanished:
                    at = None
                if steps.taken < step:
                    assert ends == {None, TARGET}
                    return
                ends.add(at)
                assert inbox.read("a.csv") == newer
                assert await shown(calm) == {"a.csv"}
                assert inbox.paths() == ({"a.csv", TARGET} if at else {"a.csv"})
                assert inbox.read(TARGET) == (b"hello" if at else None)
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    def test_sender_replaces_while_we_are_cut_off(self, inbox: BucketInbox, place: ObjectPlace) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            ends: set[str | None] = set()
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True
                steps.arm(step, cut_off)
                try:
                    await shaky.set_aside(file, TARGET, if_taken=TAKEN)
                except CutOffError:
                    inbox.drop(content=b"newer")
                else:
                    assert ends == {None, TARGET}
                    return
                try:
                    ends.add(await calm.set_aside(file, TARGET, if_taken=TAKEN))
                    assert inbox.read(TARGET) == b"hello"
                except FileVanished:
                    ends.add(None)
                    assert inbox.read(TARGET) in {None, b"hello"}
                assert inbox.read("a.csv") == b"newer"
                assert await shown(calm) == {"a.csv"}
                assert await calm.held(".processing") == ()
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    @pytest.mark.parametrize("newer", [False, True])
    def test_two_tries_of_one_move_at_once(self, inbox: BucketInbox, place: ObjectPlace, newer: bool) -> None:
        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in range(1, 20):
                inbox.drop()
                file = await seen(calm)
                assert await calm.claim(file) is True

                async def other_try(file: Staged = file) -> None:
                    assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                    if newer:
                        inbox.drop(content=b"newer")

                steps.arm(step, other_try)
                try:
                    assert await shaky.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                except FileVanished:
                    assert await calm.set_aside(file, TARGET, if_taken=TAKEN) == TARGET
                assert inbox.read(TARGET) == b"hello"
                if steps.taken < step:
                    return
                assert inbox.paths() == ({TARGET, "a.csv"} if newer else {TARGET})
                assert await shown(calm) == ({"a.csv"} if newer else set())
                self.empty(inbox)
            pytest.fail("never ended")

        disturbed(place, work)

    def test_stranger_takes_the_place_just_before_the_copy(self, inbox: Inbox, place: ObjectPlace) -> None:
        async def strange() -> None:
            inbox.drop(TARGET, b"strange")

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            inbox.drop()
            file = await seen(calm)
            await calm.claim(file)
            steps.arm(4, strange)  # after the place is noted
            assert await shaky.set_aside(file, TARGET, if_taken=TAKEN) == TAKEN

        disturbed(place, work)
        assert (inbox.read(TARGET), inbox.read(TAKEN)) == (b"strange", b"hello")
        assert inbox.paths() == {TARGET, TAKEN}

    def test_replaced_between_claim_and_read(self, inbox: Inbox, source: ObjectStoreSource, tmp_path: Path) -> None:
        file = self.claimed(inbox, source)
        inbox.drop(content=b"newer")
        with pytest.raises(FileVanished):
            received(source, file, 5, Landing(tmp_path / "l"))
        with pytest.raises(FileVanished):
            use(source, lambda s: s.facts(file))
        assert inbox.paths() == {"a.csv"}  # a claim on what is gone is none
        inbox.drop()
        assert names(source) == {"a.csv"}

    def test_replaced_between_listing_and_claim(self, inbox: Inbox, place: ObjectPlace) -> None:
        async def replaced() -> None:
            inbox.drop(content=b"newer")

        async def work(calm: Source, shaky: Source, steps: Steps) -> None:
            for step in (1, 2):
                inbox.drop()
                file = await seen(calm)
                steps.arm(step, replaced)
                assert await shaky.claim(file) is False
                assert inbox.paths() == {"a.csv"}
                assert await shown(calm) == {"a.csv"}

        disturbed(place, work)
