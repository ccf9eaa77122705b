"""Which formats there are, and which one a content is. A format's module is loaded when it is asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, cast

from import_project.errors import ConfigError, NotRecognised
from import_project.frames import Reading

FORMATS: Mapping[str, str] = {
    "bgmax": "import_project.formats.bgmax",
    "delimited": "import_project.formats.delimited",
}


class Format(Protocol):
    """What a format's module offers."""

    recognise: Callable[..., bool]
    read: Callable[..., Reading]


def format_named(name: str) -> Format:
    """Return the format called `name`. Raises ConfigError when there is none."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}", do=f"one of {', '.join(FORMATS)}")
    return cast("Format", import_module(FORMATS[name]))


def detect(content: bytes) -> str:
    """Return the name of the one format that `content` fits. Raises NotRecognised when none or two do."""
    fits = [name for name in FORMATS if format_named(name).recognise(content)]
    if not fits:
        if not content.strip():
            raise NotRecognised("the file is empty")
        raise NotRecognised(f"the content fits none of {', '.join(FORMATS)}", do="name the format to see what is wrong")
    if len(fits) > 1:
        raise NotRecognised(f"the content fits {' and '.join(fits)}", do="name the format")
    return fits[0]
