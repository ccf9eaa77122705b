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
    with pytest.raises(ConfigError, match="IMPORT_PROJECT_LEASE_SECONDS: must be greater than 0"):
        Settings.read({"IMPORT_PROJECT_LEASE_SECONDS": "0"})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("KEEP_RUN_DAYS", "9999999", "must be less than or equal to 36500"),
        ("KEEP_DETAIL_DAYS", "5", "must be greater than or equal to 30"),
        ("KEEP_TABLE_DAYS", "soon", "expected a whole number"),
        ("TRACES", "nonsense", "is no address such as https://host"),
        ("ALERT_WEBHOOK", "hooks.example/x", "is no address such as https://host"),
        ("ALERT_SMTP", "mail.example", "is no address such as smtp://host"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"IMPORT_PROJECT_{name}: {told}"):
        Settings.read({f"IMPORT_PROJECT_{name}": value})


def test_a_slip_in_a_name_is_guessed_and_days_may_be_for_ever() -> None:
    with pytest.raises(ConfigError, match="did you mean IMPORT_PROJECT_ALERT_WEBHOOK"):
        Settings.read({"IMPORT_PROJECT_ALERT_WEBHOK": "x"})
    assert Settings.read({"IMPORT_PROJECT_KEEP_DETAIL_DAYS": "forever"}).keep_detail_days is None


def test_secrets_are_not_shown() -> None:
    shown = repr(
        Settings.read({"IMPORT_PROJECT_LEDGER": "postgresql://u:pw@h/d", "IMPORT_PROJECT_ALERT_WEBHOOK": "http://h/s"})
    )
    assert "pw" not in shown
    assert "http://h/s" not in shown
