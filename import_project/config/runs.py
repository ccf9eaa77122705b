"""How Dagster runs a feed's files: tried again, ended, and which first."""

from typing import Literal

from pydantic import Field

from import_project.config.values import Strict


class Urgent(Strict):
    """Files that go before others: a glob of names, and their priority."""

    glob: str = Field(min_length=1)
    priority: int = Field(ge=-1_000, le=1_000)


class Runs(Strict):
    """A step is tried `attempts` times, where a retry can help; the waits between begin with `delay_seconds`.

    A run is ended after `longest_seconds`. Files with a higher `priority` go first; `urgent` says so for some names,
    the first that fits. At most `at_once` runs of the feed are under way. When many small files wait at once, a run
    takes up to `files_per_run` of them.
    """

    attempts: int = Field(default=3, ge=1, le=20)
    delay_seconds: float = Field(default=2, ge=0)
    backoff: Literal["exponential", "linear", "none"] = "exponential"
    jitter: Literal["full", "plus_minus", "none"] = "full"
    longest_seconds: int | None = Field(default=None, ge=60)
    priority: int = Field(default=0, ge=-1_000, le=1_000)
    urgent: tuple[Urgent, ...] = ()
    at_once: int | None = Field(default=None, ge=1, le=1_000)
    files_per_run: int = Field(default=20, ge=1, le=1_000)
