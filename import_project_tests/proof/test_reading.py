"""Files that change while they are read over SFTP, claimed ones and those of a read-only inbox: what is imported is
what the sender had at one time, whole, and it takes effect once.
"""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import IO

import pytest

from import_project.errors import FileChanged
from import_project.records.files import ArrivalState
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.proof.proxy import House, house_of
from import_project_tests.servers import SftpPeer

_NAME = "orders_1.csv"
_WHOLE = orders(1, padding=150_000)  # 900 KB, which are read in four pieces
_OTHER = orders(2, padding=150_000)
_TRIES = 10

#: What the sender's copy is, one after the other; each next one is written in place when the first piece was read.
CHANGES = {
    "grows": [_WHOLE[:400_000], _WHOLE[:700_000], _WHOLE],
    "grows from its first row": [_WHOLE[:150_100], _WHOLE],
    "shrinks": [orders(2, padding=200_000), _WHOLE[:600_000], _WHOLE],
    "keeps its size": [_OTHER, _WHOLE],
}


@pytest.fixture(params=["claimed", "read_only"])
def house(request: pytest.FixtureRequest, installation: Installation, sftp: SftpPeer, api: ApiPeer) -> Iterator[House]:
    with house_of(installation, sftp, api) as made:
        made.source(read_only=request.param == "read_only")
        yield made


@pytest.mark.parametrize("change", CHANGES)
def test_file_that_changes_while_it_is_read(house: House, change: str) -> None:
    """It grows (F1), shrinks (F9), or is written over with as many bytes: refused each time, until it stands still."""
    first, *later = CHANGES[change]
    house.oracle.show(house.inbox, _NAME, first)
    refused, tries = 0, 0
    with (house.inbox / _NAME).open("r+b") as handle:
        for content in later:
            house.sftp.faults.at_first_read = partial(write_over, handle, content)
            while house.sftp.faults.at_first_read is not None:
                errors = house.attempt()
                assert {type(error) for error in errors} <= {FileChanged}, errors
                assert house.api.effects == []
                refused += len(errors)
                tries += 1
                assert tries < _TRIES, "it is not read any more"
    assert refused >= len(later)
    house.oracle.shown[_NAME] = _WHOLE
    judge(house, {_WHOLE})


def write_over(handle: IO[bytes], content: bytes) -> None:
    """Write it in place, as a sender does that has the file open; of another second than before."""
    handle.seek(0)
    handle.write(content)
    handle.truncate()
    handle.flush()
    later = os.fstat(handle.fileno()).st_mtime + 60
    os.utime(handle.fileno(), (later, later))


@pytest.mark.parametrize("padding", [150_000, 90_000], ids=["same size", "shorter"])
def test_file_that_is_replaced_while_it_is_read(house: House, padding: int) -> None:
    """Another one is renamed over its name (F7): each is read whole, or not at all, and there is no third."""
    read_only = house.installation.feed("orders").feed.source.read_only
    new = orders(2, padding=padding)
    house.oracle.show(house.inbox, _NAME, _WHOLE)

    def replace_it() -> None:
        Oracle().show(house.inbox, _NAME, new)
        os.utime(house.inbox / _NAME, (1_800_000_000, 1_800_000_000))

    house.sftp.faults.at_first_read = replace_it
    errors = [type(error) for _ in range(2) for error in house.attempt()]
    assert errors == [FileChanged] * read_only
    house.oracle.shown = {"new": new} if read_only else {"old": _WHOLE, "new": new}
    judge(house, {new} if read_only else {_WHOLE, new})


def judge(house: House, contents: set[bytes]) -> None:
    """It settles: each of these was imported once, and nothing else; what else was seen was one of them again."""
    for _ in range(5):
        assert {type(error) for error in house.attempt()} <= {FileChanged}
    house.oracle.check_effects(house.api)
    if not house.installation.feed("orders").feed.source.read_only:
        house.oracle.check_archive(house.inbox)
    digests = {sha256(content).hexdigest() for content in contents}
    outcomes = house.parts.ledger.outcomes.all()
    assert {o.sha256 for o in outcomes} == digests
    assert Counter(o.sha256 for o in outcomes if o.state == "done") == dict.fromkeys(digests, 1)
    assert {o.state for o in outcomes} <= {ArrivalState.DONE, ArrivalState.DUPLICATE}
    assert house.parts.ledger.arrivals.unfinished("orders") == []
