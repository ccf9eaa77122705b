"""Opening a ledger: migrations, several at once, and what is no ledger or does not answer."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from import_project.errors import ConfigError, LedgerUnavailable
from import_project.store.ledger import Ledger
from import_project.store.ledger.database import newest, upgrade
from import_project.store.ledger.tables import metadata


def test_migrations_make_the_tables_that_the_code_knows(ledger: Ledger) -> None:
    ledger.sightings.unended("f")
    with ledger.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    assert differences == []


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0005", "0006"])
def test_ledger_of_an_earlier_release_is_brought_up_when_it_is_opened(ledger: Ledger, revision: str) -> None:
    with ledger.database.engine.execution_options(write=True).begin() as connection:
        upgrade(connection, revision)
    ledger.sightings.unended("f")
    with ledger.database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == newest()
        assert compare_metadata(context, metadata) == []


def test_two_processes_may_open_an_empty_ledger_at_once(ledger: Ledger) -> None:
    url = ledger.database.url.render_as_string(hide_password=False)
    ledgers = [Ledger(url) for _ in range(4)]
    failures: list[Exception] = []

    def open_it(one: Ledger) -> None:
        try:
            one.sightings.unended("f")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
            failures.append(error)

    threads = [threading.Thread(target=open_it, args=(one,)) for one in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in ledgers:
        one.close()
    assert failures == []


@pytest.mark.parametrize(
    ("url", "told"),
    [("no url", "the ledger's URL cannot be read"), ("mysql://h/d", "the ledger cannot live in mysql")],
)
def test_urls_that_are_no_ledger(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Ledger(url)


def test_database_that_does_not_answer_is_a_named_error(tmp_path: Path) -> None:
    ledger = Ledger("postgresql://u:hunter2@127.0.0.1:1/d")
    with pytest.raises(LedgerUnavailable) as error:
        ledger.sightings.unended("f")
    assert "hunter2" not in str(error.value)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(LedgerUnavailable):
        Ledger(f"sqlite:///{tmp_path}/folder.db").sightings.unended("f")
