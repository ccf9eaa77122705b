"""The kill loop, short: `make proof` runs the long one."""

import pytest

from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.proof.kill_loop import kill_loop


def test_random_kills_lose_nothing_and_repeat_nothing(installation: Installation, api: ApiPeer) -> None:
    assert kill_loop(installation, api, count=40, seconds=15, seed=20261126) >= 5


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_files_and_ten_minutes_of_kills(installation: Installation, api: ApiPeer) -> None:
    assert kill_loop(installation, api, count=1000, seconds=600, seed=11) >= 150
