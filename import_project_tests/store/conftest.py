"""The ledger of this room's tests: each runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from import_project.store.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    made = Ledger(url if request.param == "sqlite" else request.getfixturevalue("postgres_database"))
    yield made
    made.close()
