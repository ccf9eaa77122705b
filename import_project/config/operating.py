"""What a feed says about its operation: whose it is, what is checked of its files, what is called when they move."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from import_project.config.python_objects import Reference
from import_project.config.values import Strict
from import_project.records.steps import Happening

#: An e-mail address as Dagster takes it: with a dot in its domain.
_OWNER = re.compile(r"team:[\w -]+|[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def _owner(text: str) -> str:
    if _OWNER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is neither team:NAME nor an e-mail address such as ops@example.com")
    return text


Owner = Annotated[str, AfterValidator(_owner)]
_TAG = re.compile(r"[A-Za-z0-9._-]{1,63}")


def _tags(tags: dict[str, str]) -> dict[str, str]:
    for text in (*tags, *tags.values()):
        if _TAG.fullmatch(text) is None:
            raise ValueError(f"{text!r} is no tag: letters, digits, '.', '_' and '-', at most 63")
    return tags


Tags = Annotated[dict[str, str], AfterValidator(_tags)]


class Checks(Strict):
    """From when a check of a file warns; None: never. Percentages are of the file's rows or payments.

    `oldest_open_days` is how long past its due day an open invoice may be.
    """

    most_quarantined_percent: float | None = Field(default=20, ge=0, le=100)
    most_repeated_percent: float | None = Field(default=50, ge=0, le=100)
    oldest_open_days: int | None = Field(default=365, ge=0)


class Hooks(Strict):
    """Python that is called with a `FileEvent` when a run begins with a file, and by how it ends."""

    on_start: Reference | None = None
    on_success: Reference | None = None
    on_failure: Reference | None = None
    on_retry: Reference | None = None
    on_skip: Reference | None = None

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        assert set(type(self).model_fields) == {f"on_{what}" for what in Happening}
        return self

    @property
    def calls(self) -> dict[str, str]:
        """The Python that is called, by key."""
        return {f"hooks.{k}": v for k in type(self).model_fields if (v := getattr(self, k)) is not None}
