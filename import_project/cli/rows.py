"""Reading a file for the commands that look into it, with a progress bar where that takes a while. Prints no result."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from import_project.config.formats import Format
from import_project.config.mistakes import told
from import_project.config.values import Strict
from import_project.errors import ConfigError

#: A file of this size is read in less time than a progress bar takes to look at.
_LONG = 32 << 20
HEAD = 1 << 18


class _Watched(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file, self._progress = file, progress
        size = os.fstat(file.fileno()).st_size
        self._task = progress.add_task("reading", total=size)

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._progress.update(self._task, completed=self._file.tell())
        return content

    def readinto(self, buffer: object) -> int:
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._progress.update(self._task, completed=self._file.tell())
        return int(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file; a long one shows a progress bar on stderr, where that is a terminal."""
    with path.open("rb") as file:
        if not sys.stderr.isatty() or os.fstat(file.fileno()).st_size < _LONG:
            yield file
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield cast("BinaryIO", _Watched(file, progress))


def given_options(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return format options given as NAME=VALUE, the values as a feed would write them. Raises ConfigError."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{text!r} is no option", do="write NAME=VALUE, such as sheet=Orders")
        try:
            found[name] = yaml.safe_load(value) if value[:1] in {"[", "{"} or value.isdigit() else value
        except yaml.YAMLError:
            raise ConfigError(f"{text!r} cannot be read", do="write lists as [a, b]") from None
    return found


def checked_options(form: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a format, checked as those of a feed are. Raises ConfigError."""
    given = given_options(texts)
    if given:
        try:
            return Options.model_validate({"format": {"kind": form, **given}}).format.options
        except ValidationError as errors:
            raise ConfigError(told(errors, Options)) from None
    return given


class Options(Strict):
    """A format's options by themselves."""

    format: Format
