"""Fixtures that several rooms share. Peers are started once a session where a test cannot disturb the next."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from import_project_tests.http_servers import ApiPeer, api_peer
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer, postgres, sftp_peer

#: Children of kill tests are forked from a process that has imported this, and used nothing of it.
multiprocessing.set_forkserver_preload(["import_project_tests.pipeline.kill_child"])

#: Files whose tests take longest; they begin first, so that no worker is left with one of them in the end.
_LONGEST = (
    "deploy/test_celery",
    "proof/test_kill_matrix",
    "pipeline/test_kills",
    "proof/test_environment",
    "proof/test_secrets",
    "proof/test_sources",
    "posting/test_exactly_once",
    "defs/test_daemon",
    "defs/test_launcher",
    "proof/test_api_faults",
    "proof/test_kill_loop",
    "proof/test_content",
    "proof/test_reading",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(_LONGEST) if name in item.nodeid), len(_LONGEST))

    items.sort(key=place)


settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpPeer]:
    with sftp_peer(tmp_path / "sftp") as peer:
        yield peer


@pytest.fixture
def api() -> Iterator[ApiPeer]:
    with api_peer() as peer:
        yield peer


@pytest.fixture
def installation(tmp_path: Path, sftp: SftpPeer, api: ApiPeer) -> Installation:
    return Installation.make(tmp_path, sftp, api)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """As root, the package runs the server as a user of its own, for whom pytest's folders are closed: each session that
    begins closes them again, also for the servers of those under way."""
    with TemporaryDirectory(prefix="postgres-") as home:
        Path(home).chmod(0o755)
        with postgres(Path(home)) as url:
            yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """An empty database of its own for one test."""
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"t{uuid4().hex}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
