"""Workspaces of the front desk, as models: who may hand in to which feeds, how much, and who is told of the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from import_project.config.schemas import Name
from import_project.config.values import Secret, Strict, Url
from import_project.config.yaml_models import load_model
from import_project.errors import ConfigError

_GIB = 1 << 30


class Limits(Strict):
    """How much a workspace may hand in: bytes of one file, files a minute, and files that have not ended."""

    most_bytes: Annotated[int, Field(gt=0)] = 4 * _GIB
    uploads_a_minute: Annotated[int, Field(gt=0)] = 600
    most_waiting: Annotated[int, Field(gt=0)] = 1000


class Webhook(Strict):
    """Who is told when a job has ended: an address whose host the setting allows, and the secret that signs."""

    url: Url
    secret: Secret


class Workspace(Strict):
    """People and programs who see each other's jobs, and nobody else's. `feeds` are those they may hand in to."""

    workspace: Name
    description: str = ""
    feeds: tuple[Name, ...] = Field(min_length=1)
    limits: Limits = Limits()
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenWorkspace:
    """A workspace's file that cannot be used, and why."""

    path: Path
    error: ConfigError


def load_workspaces(feeds: Path, environ: Mapping[str, str]) -> tuple[dict[str, Workspace], list[BrokenWorkspace]]:
    """Read every `workspaces/*.yaml` beside the feeds, each by itself; none is no mistake."""
    found: dict[str, Workspace] = {}
    broken: list[BrokenWorkspace] = []
    for path in sorted((feeds / "workspaces").glob("*.yaml")):
        try:
            one = load_model(path, Workspace, environ)
            if one.workspace != path.stem:
                raise ConfigError(f"{path}: workspace: must be {path.stem}, as the file's name")
            found[one.workspace] = one
        except ConfigError as error:
            broken.append(BrokenWorkspace(path=path, error=error))
    return found, broken
