"""Settings from the environment."""

from pathlib import Path

import pytest

from import_project.config.settings import Settings
from import_project.errors import ConfigError


def test_defaults_and_values() -> None:
    settings = Settings.read({"IMPORT_PROJECT_HOME": "/srv/state", "IMPORT_PROJECT_LEASE_SECONDS": "5", "OTHER": "x"})
    assert settings.home == Path("/srv/state")
    assert settings.ledger_url == "sqlite:////srv/state/ledger.db"
    assert settings.lease_seconds == 5


def test_unknown_setting_and_wrong_value_are_one_line() -> None:
    with pytest.raises(ConfigError, match="unknown setting IMPORT_PROJECT_HOEM"):
        Settings.read({"IMPORT_PROJECT_HOEM": "x"})
    with pytest.raises(ConfigError, match="IMPORT_PROJECT_LEASE_SECONDS: Input should be greater than 0"):
        Settings.read({"IMPORT_PROJECT_LEASE_SECONDS": "0"})


def test_secrets_are_not_shown() -> None:
    shown = repr(
        Settings.read({"IMPORT_PROJECT_LEDGER": "postgresql://u:pw@h/d", "IMPORT_PROJECT_ALERT_WEBHOOK": "http://h/s"})
    )
    assert "pw" not in shown
    assert "http://h/s" not in shown
