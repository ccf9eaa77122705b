"""One YAML file as one model: a key given twice is refused, and what is wrong is told in one line."""

from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from import_project.config.mistakes import told
from import_project.errors import ConfigError, one_line

Model = TypeVar("Model", bound=BaseModel)


def load_model(path: Path, model: type[Model], environ: Mapping[str, str]) -> Model:
    """Read a file. Raises ConfigError."""
    try:
        data = deepcopy(_read(path.read_text(encoding="utf-8")))
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}:{line} {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {one_line(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deep") from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}: expected keys and values")
    try:
        return model.model_validate(data, context={"environ": environ, "folder": path.parent.absolute()})
    except ValidationError as errors:
        raise ConfigError(f"{path}: {told(errors, model)}") from None
    except (OverflowError, RecursionError) as error:
        raise ConfigError(f"{path}: a value is beyond all measure: {error}") from None


@lru_cache(maxsize=256)
def _read(text: str) -> Any:
    """Read YAML once for each text: feeds are loaded anew at each poll. Not with the loader in C, which deep nesting
    crashes."""
    return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader


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
