"""`import-project files`: the outcomes in the ledger."""

import json
import os
import sys

from import_project.cli.outcome_table import outcome_rows, outcome_table, table_console
from import_project.config.settings import Settings
from import_project.errors import ConfigError
from import_project.store.ledger import Ledger


def list_files(feed: str | None, *, as_json: bool) -> None:
    """Print one line for each file that has ended."""
    settings = Settings.read(os.environ)
    if settings.ledger is None and not settings.home.is_dir():
        raise ConfigError(
            f"no ledger in {settings.home.absolute()}", do="set IMPORT_PROJECT_HOME; the demo's is .demo/state"
        )
    ledger = Ledger(settings.ledger_url)
    rows = outcome_rows(ledger.outcomes.all(feed))
    ledger.close()
    if as_json:
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        table_console().print(outcome_table(rows))
