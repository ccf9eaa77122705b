"""Workspaces of the front desk as they are written: what is taken, and what is told of mistakes."""

from pathlib import Path

import pytest

from import_project.cli.feeds import check_feeds
from import_project.config.workspaces import load_workspaces
from import_project.errors import ConfigError
from import_project_tests.installation import Installation


def write(folder: Path, name: str, text: str) -> None:
    (folder / "workspaces").mkdir(exist_ok=True)
    (folder / "workspaces" / f"{name}.yaml").write_text(text)


def test_workspace_has_limits_without_saying_them(tmp_path: Path) -> None:
    write(tmp_path, "sales", "workspace: sales\nfeeds: [orders]\n")
    found, broken = load_workspaces(tmp_path, {})
    assert broken == []
    assert found["sales"].limits.most_waiting == 1000
    assert found["sales"].webhook is None
    assert load_workspaces(tmp_path / "nowhere", {}) == ({}, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workspace: other\nfeeds: [orders]\n", "must be sales"),
        ("workspace: sales\nfeeds: []\n", "feeds"),
        ("workspace: sales\nfeeds: [orders]\nlimit: {}\n", "did you mean limits"),
        ("workspace: sales\nfeeds: [orders]\nlimits: {most_bytes: 0}\n", "most_bytes: must be greater than 0"),
        ("workspace: sales\nfeeds: [orders]\nwebhook: {url: 'https://x.example', secret: plain}\n", "a secret is not"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path, "sales", text)
    write(tmp_path, "right", "workspace: right\nfeeds: [orders]\n")
    found, (broken,) = load_workspaces(tmp_path, {})
    assert told in broken.error.what
    assert "sales.yaml" in broken.error.what
    assert list(found) == ["right"], "one that is broken disturbs no other"


def test_feeds_check_looks_at_workspaces_too(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = installation.rewrite("orders")
    for name, value in changed.environ.items():
        monkeypatch.setenv(name, value)
    folder = Path(changed.environ["IMPORT_PROJECT_FEEDS"])
    check_feeds(folder)
    write(folder, "sales", "workspace: sales\nfeeds: [orders, nothing]\n")
    with pytest.raises(ConfigError, match="there is no feed nothing"):
        check_feeds(folder)
