"""Values that a feed may take from outside: `{env: NAME}` for any text, `{env: …}` or `{file: …}` for secrets.

Plain values are resolved when the feed is read; secrets each time they are used, so that they can be rotated.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from import_project.errors import ConfigError


class Strict(BaseModel):
    """The base of all models: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_environment(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, Mapping) or "env" not in value:
        return value
    unknown = set(value) - {"env", "default"}
    if unknown:
        raise ValueError(f"beside env only default is known, not {', '.join(map(str, sorted(unknown)))}")
    environ: Mapping[str, str] = (info.context or {}).get("environ", {})
    name = str(value["env"])
    if name in environ:
        return environ[name]
    if "default" in value:
        return value["default"]
    raise ValueError(f"the environment variable {name} is not set")


def _beside_feed(value: Any, info: ValidationInfo) -> Any:
    """Take a relative path from the folder of the file that names it."""
    value = _from_environment(value, info)
    folder = (info.context or {}).get("folder")
    if isinstance(value, str) and folder is not None:
        return Path(folder, Path(value).expanduser())
    return value


def _existing(value: Any, info: ValidationInfo) -> Any:
    path = _beside_feed(value, info)
    if isinstance(path, Path) and not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


def _http(value: str) -> str:
    if not re.match(r"^https?://[^/\s]+", value):
        raise ValueError(f"{value!r} is no http or https address")
    return value


UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")]
Text = Annotated[str, BeforeValidator(_from_environment)]
Url = Annotated[str, BeforeValidator(_from_environment), AfterValidator(_http)]
Port = Annotated[int, BeforeValidator(_from_environment), Field(ge=1, le=65_535)]
Folder = Annotated[Path, BeforeValidator(_beside_feed)]
ExistingFile = Annotated[Path, BeforeValidator(_existing)]


class Secret(Strict):
    """A secret's place, never the secret: exactly one of an environment variable and a file."""

    env: str | None = None
    file: ExistingFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_plain_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("a secret is not written here: use {env: NAME} or {file: PATH}")  # noqa: TRY004 - pydantic's
        return value

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError("give exactly one of env and file")
        return self

    def reveal(self, environ: Mapping[str, str]) -> str:
        """Read the secret now. Raises ConfigError, naming the place, when it is not there."""
        if self.env is not None:
            if self.env not in environ:
                raise ConfigError(f"the secret in environment variable {self.env} is not set")
            return environ[self.env].strip("\r\n")
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the secret in file {self.file} cannot be read: {error}") from None


def secret_files(model: BaseModel) -> Iterator[Path]:
    """Yield the files that the secrets in a model, and in the models in it, are read from."""
    for _, value in model:
        if isinstance(value, Secret) and value.file is not None:
            yield value.file
        elif isinstance(value, BaseModel):
            yield from secret_files(value)
