"""Python that a feed names: `FILE.py:NAME`, a file beside the feed, or `package.module:NAME`. Nothing is called."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from import_project.errors import ConfigError

_SHAPE = re.compile(r"(?P<file>[\w./-]+\.py)|(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")
#: Files that were run, by path, with the facts they had: a feed is read anew at each poll, its Python when it changed.
_loaded: dict[Path, tuple[tuple[int, int], Any]] = {}


def _reference(text: str) -> str:
    place, colon, name = text.rpartition(":")
    if not colon or not name.isidentifier() or _SHAPE.fullmatch(place) is None:
        raise ValueError(f"{text!r} names nothing in Python: write FILE.py:NAME or package.module:NAME")
    return text


Reference = Annotated[str, AfterValidator(_reference)]


def is_reference(text: str) -> bool:
    """Whether a text has the shape of a reference."""
    place, _, name = text.rpartition(":")
    return name.isidentifier() and _SHAPE.fullmatch(place) is not None


def load_object(reference: str, folder: Path, where: str) -> Any:
    """Return what a reference names; a file is one in `folder`. Raises ConfigError, beginning with `where`."""
    place, _, name = reference.rpartition(":")
    try:
        module = _run(folder / place) if place.endswith(".py") else importlib.import_module(place)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.what}") from None
    except Exception as error:
        raise ConfigError(f"{where}: {place} cannot be loaded: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise ConfigError(f"{where}: {place} has no {name}")
    return getattr(module, name)


def _run(path: Path) -> Any:
    path = path.absolute()
    if not path.is_file():
        raise ConfigError(f"no such file: {path}")
    facts = (path.stat().st_mtime_ns, path.stat().st_size)
    if path not in _loaded or _loaded[path][0] != facts:
        name = f"import_project_feed_{abs(hash(path)):x}_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and Pandera models look their module up
        spec.loader.exec_module(module)
        _loaded[path] = (facts, module)
    return _loaded[path][1]
