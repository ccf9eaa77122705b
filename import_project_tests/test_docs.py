"""The documents, held against the code: every command, setting, feed key, rule and make target is told, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from import_project.cli.main import cli
from import_project.config import apis, schemas
from import_project.config import feed as models
from import_project.config.match import OPTIONS, RuleChoice
from import_project.config.settings import PREFIX, Settings
from import_project.config.values import Secret
from import_project.formats.registry import ROW_FORMATS
from import_project.matching.rules import RULES
from import_project.records.payments import UnmatchedReason

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_every_command_is_told() -> None:
    told = set(re.findall(r"`import-project (\w+)", text("docs/operations.md")))
    assert told == set(cli.commands)
    assert all(command.help for command in cli.commands.values())


def test_every_command_of_a_group_is_told() -> None:
    told = text("docs/operations.md")
    for group in cli.commands.values():
        if isinstance(group, click.Group):
            for name, command in group.commands.items():
                assert re.search(rf"`[^`]*{name}\b", told), f"{group.name} {name}"
                assert command.help


def test_every_format_is_told() -> None:
    told = text("docs/formats.md")
    assert [name for name in ROW_FORMATS if f"`{name}`" not in told] == []


def test_every_setting_is_told() -> None:
    told = set(re.findall(rf"`({PREFIX}\w+)`", text("docs/operations.md"))) - {PREFIX}
    assert told == {PREFIX + name.upper() for name in Settings.model_fields}


#: What is written in a form of its own, and not by keys.
_NO_KEYS: set[type] = {Secret, RuleChoice, apis.Endpoint}


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key that may stand in a file of this model, with the keys above it."""
    for name, field in model.model_fields.items():
        key = above + (field.alias or name)
        inner = [m for m in parts(field.annotation) if issubclass(m, BaseModel) and m not in _NO_KEYS]
        own = name in {"columns", "source", "files"} or not inner
        yield from [key] if own else []
        if name != "columns":  # a column's keys are told by themselves
            for one in inner:
                yield from keys(one, f"{key}.")


def parts(annotation: Any) -> list[type]:
    """The classes in an annotation, in unions too."""
    inside = [found for part in get_args(annotation) for found in parts(part)]
    return inside or ([annotation] if isinstance(annotation, type) else [])


@pytest.mark.parametrize("model", [models.Feed, apis.Api, apis.Endpoint, schemas.Schema, schemas.ColumnRules])
def test_every_feed_key_is_told(model: type[BaseModel]) -> None:
    told = "".join(text(f"docs/{name}.md") for name in ("feeds", "inbox", "formats", "matching", "posting", "dagster"))
    assert [key for key in keys(model) if f"`{key}`" not in told] == []


def test_every_matching_rule_is_told_with_its_options_and_every_reason() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", text("docs/matching.md"), re.MULTILINE))
    for name, options in OPTIONS.items():
        assert [o for o in options.model_fields if f"`{o}`" not in rows[name]] == [], name
    assert set(RULES) | {reason.value for reason in UnmatchedReason} <= set(rows)


def test_every_rule_of_a_format_is_told() -> None:
    told = text("docs/formats.md")
    used: set[str] = set()
    for path in (ROOT / "import_project").rglob("*.py"):
        used |= set(re.findall(r'rule="(\w+)"', path.read_text("utf-8")))
    assert used
    assert sorted(rule for rule in used if f"`{rule}`" not in told) == []


def test_every_make_target_has_a_help_line() -> None:
    makefile = text("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## \w", makefile, re.MULTILINE))
    assert {"install", "demo", "dev", "test", "test-peers", "lint", "fix", "bench"} <= targets


def test_links_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_requirements_are_pinned_with_hashes_and_name_no_registry() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        content = path.read_text("utf-8")
        assert "://" not in content
        assert not re.search(r"^(-|--)(i|f|e|index|extra|find)", content, re.MULTILINE)
        for block in re.split(r"\n(?=\S)", content.strip()):
            assert "==" in block, block
            assert "--hash=sha256:" in block, block
