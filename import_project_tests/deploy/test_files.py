"""The files in `deploy`, for their form: what reads them takes them, and they follow the project's own."""

import re
from pathlib import Path

import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

from import_project.config.settings import PREFIX, Settings
from import_project_tests.installation import FEEDS

ROOT = FEEDS.parent
DEPLOY = ROOT / "deploy"
OWN = {"storage", "run_storage", "event_log_storage", "schedule_storage", "run_launcher"}
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".yaml"], ids=lambda p: str(p.relative_to(DEPLOY)))
def test_it_is_yaml(path: Path) -> None:
    assert list(yaml.safe_load_all(path.read_text("utf-8")))


@pytest.mark.parametrize("name", ["postgres", "celery"])
def test_instance_is_the_projects_own_but_for_storage_and_launcher(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DAGSTER_POSTGRES_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(variable, "x://y")
    dagster_instance_config(str(DEPLOY / name))
    ours, own = (yaml.safe_load((folder / "dagster.yaml").read_text("utf-8")) for folder in (DEPLOY / name, ROOT))
    assert {k: v for k, v in ours.items() if k not in OWN} == {k: v for k, v in own.items() if k not in OWN}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(DEPLOY)))
def test_every_setting_that_it_names_exists(path: Path) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z][A-Z_]+[A-Z])\b", path.read_text("utf-8")))
    assert {name.lower() for name in named} <= Settings.model_fields.keys()
