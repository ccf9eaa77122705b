"""YAML files to models; every mistake is one line with file, key and what was expected. Nothing is connected to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from import_project.config.feed import Api, Feed, Schema
from import_project.config.mistakes import told
from import_project.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFeed:
    """A feed with the API and the schema it names."""

    feed: Feed
    api: Api
    schema: Schema | None
    path: Path

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.feed.feed


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFeed:
    """A feed file that cannot be used, and why."""

    path: Path
    error: ConfigError


def load_feeds(folder: Path, environ: Mapping[str, str]) -> tuple[list[LoadedFeed], list[BrokenFeed]]:
    """Read every `*.yaml` in `folder`, each by itself: a broken one does not disturb the others.

    Raises ConfigError when there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"no feeds folder {folder}", do="set IMPORT_PROJECT_FEEDS")
    good: dict[str, LoadedFeed] = {}
    broken: list[BrokenFeed] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            loaded = load_feed(path, environ)
            if loaded.name in good:
                raise ConfigError(f"{path}: feed: {loaded.name} is taken by {good[loaded.name].path.name}")
            good[loaded.name] = loaded
        except ConfigError as error:
            broken.append(BrokenFeed(path=path, error=error))
        except Exception as error:  # noqa: BLE001 - whatever one file does to us, the others go on
            told = ConfigError(
                f"{path}: {type(error).__name__}: {error}", do="this is a defect of ours; please report it"
            )
            broken.append(BrokenFeed(path=path, error=told))
    broken += [
        BrokenFeed(path=path, error=ConfigError(f"{path}: a feed's file is named *.yaml", do="rename it"))
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in {".yml", ".yaml"} and path.suffix != ".yaml"
    ]
    return list(good.values()), broken


def load_feed(path: Path, environ: Mapping[str, str]) -> LoadedFeed:
    """Read one feed with its API and schema. Raises ConfigError."""
    feed = _load(path, Feed, environ)
    api = _load(_named(path, "apis", "post.api", feed.post.api), Api, environ)
    if api.api != feed.post.api:
        raise ConfigError(
            f"{path.parent / 'apis' / feed.post.api}.yaml: api: must be {feed.post.api}, as the file's name"
        )
    schema = None
    if feed.schema_name is not None:
        schema = _load(_named(path, "schemas", "schema", feed.schema_name), Schema, environ)
    return LoadedFeed(feed=feed, api=api, schema=schema, path=path)


def _named(feed: Path, folder: str, key: str, name: str) -> Path:
    path = feed.parent / folder / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"{feed}: {key}: no such file: {path}")
    return path


def _load(path: Path, model: type[Model], environ: Mapping[str, str]) -> Model:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}:{line} {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}: expected keys and values")
    try:
        return model.model_validate(data, context={"environ": environ, "folder": path.parent.absolute()})
    except ValidationError as errors:
        raise ConfigError(f"{path}: {told(errors, model)}") from None
    except (OverflowError, RecursionError) as error:
        raise ConfigError(f"{path}: a value is beyond all measure: {error}") from None


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice; plain YAML would silently take the last."""


def _unique_mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key)
        if not isinstance(name, str | int | float | bool | None):
            what = "a key cannot hold keys of its own; put what has braces in quotes"
            raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{name}: the key is given twice", key.start_mark)
        seen.add(name)
    return loader.construct_mapping(node)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
