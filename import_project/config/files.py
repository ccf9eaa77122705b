"""Which files of an inbox are taken, when one is ready, where it goes, and when one is expected: models only."""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from import_project.config.patterns import DatedGlob, matcher, rendered
from import_project.config.values import Secret, Strict


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Stockholm") from None
    return name


_MONTH = 31 * 86_400

Zone = Annotated[str, AfterValidator(_zone)]


class Pattern(Strict):
    """Which names are meant: exactly one of a glob, a regular expression for the whole name, and a glob with a date.

    `timezone` is the clock that a date is read on, `days_back` how far past it may be (null: however far).
    """

    glob: str | None = None
    regex: str | None = None
    dated: str | None = None
    timezone: Zone = "UTC"
    days_back: int | None = Field(default=None, ge=0, le=36_600)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if [self.glob, self.regex, self.dated].count(None) != 2:
            raise ValueError("give exactly one of glob, regex and dated")
        if not (self.glob or self.regex or self.dated):
            raise ValueError("an empty pattern means no file")
        if "/" in (self.glob or self.dated or ""):
            raise ValueError("a pattern is for names, not paths: folders below the inbox are not looked into")
        if self.dated is None and self.days_back is not None:
            raise ValueError("days_back belongs to dated")
        try:
            self.matcher(datetime.now(self.zone))
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{self.glob or self.regex!r} is no regular expression: {error}") from None
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def _dated(self) -> DatedGlob:
        return DatedGlob(self.dated or "", self.zone, self.days_back)

    def matcher(self, now: datetime) -> Callable[[str], bool]:
        """Return a test for whole names, as of `now` (aware)."""
        return self._dated.matcher(now) if self.dated else matcher(glob=self.glob, regex=self.regex)


class Folders(Strict):
    """Where a file goes, below the inbox or absolute. Dates are of the day it was first seen, in the pattern's zone."""

    processing: str = ".processing"
    archive: str = ".archive/{YYYY}/{MM}/{DD}"
    failed: str = ".failed"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for key in ("processing", "archive", "failed"):
            folder = getattr(self, key)
            steps = folder.removeprefix("/").split("/")
            if any(step in {"", ".", ".."} for step in steps) or not folder.isprintable() or "\\" in folder:
                raise ValueError(f"{key} {folder!r} is no usable folder")
            if key == "processing" and "{" in folder:
                raise ValueError("processing cannot hold a date: a file must be found again there")
            rendered(folder, datetime(2000, 1, 1))  # noqa: DTZ001 - only to see that it can be filled in
        if len({self.processing, self.archive, self.failed}) < 3:
            raise ValueError("processing, archive and failed must be three folders")
        return self


Policy = Literal["skip", "quarantine", "process"]


class Again(Strict):
    """What becomes of a file that is known in part: `skip` it, refuse it (`quarantine`), or `process` it.

    Of one whose bytes came to another feed first, `warn` imports it and tells people.
    """

    same_name_new_bytes: Policy = "process"
    new_name_same_bytes: Policy = "skip"
    same_facts_new_bytes: Policy = "quarantine"
    other_feed_same_bytes: Policy | Literal["warn"] = "warn"


class Expect(Strict):
    """When a file should have come: at each time of `cron` on the clock of `timezone`, except on holidays.

    Holidays are country or market codes (SE, XECB) or dates. A file that is late is waited for `max_retries` times
    `interval_minutes`; then it is missed, and `on_miss` says what happens.
    """

    cron: str
    timezone: Zone = "UTC"
    holidays: tuple[date | str, ...] = ()
    max_retries: int = Field(default=6, ge=0, le=1000)
    interval_minutes: float = Field(default=10, gt=0, le=10_080)
    on_miss: Literal["alert", "skip", "fail"] = "alert"

    @field_validator("holidays", mode="before")
    @classmethod
    def _norway(cls, given: Any) -> Any:
        if isinstance(given, list) and False in given:
            raise ValueError("write 'NO' in quotes: in YAML a plain NO means false")
        return given

    @model_validator(mode="after")
    def _usable(self) -> Self:
        from cronsim import CronSim, CronSimError

        try:
            CronSim(self.cron, datetime.now(ZoneInfo(self.timezone)))
        except CronSimError as error:
            raise ValueError(f"cron {self.cron!r}: {error}") from None
        for code in self.holidays:
            if isinstance(code, str):
                _known_calendar(code)
        return self


def _known_calendar(code: str) -> None:
    from holidays import list_supported_countries, list_supported_financial

    country, _, subdivision = code.partition("-")
    known = list_supported_countries()
    if code in list_supported_financial() or (country in known and (not subdivision or subdivision in known[country])):
        return
    raise ValueError(f"holidays: {code!r} is neither a date nor a country or market, such as SE, DE-BY or XECB")


class Unpack(Strict):
    """Compressed (gz, zst), packed (zip, tar) and PGP-encrypted files are unpacked, within these caps."""

    members: str = "*"
    max_bytes: int = Field(default=4 << 30, gt=0)
    max_ratio: int = Field(default=200, gt=0)
    max_members: int = Field(default=1000, gt=0)
    max_depth: int = Field(default=3, gt=0)
    pgp_key: Secret | None = None
    pgp_passphrase: Secret | None = None


class Files(Strict):
    """Which files are taken and when.

    A file is ready when `looks` polls saw the same size and mtime, it has stood so for `min_age_seconds`, and its
    `done_file` is there. At most `limit_per_poll` files of a feed are queued or run at once. One of more than
    `max_bytes`, as it comes, is refused. The copy of one that is done is not moved on before `watch_seconds` have
    passed since it was last looked at, so that a sender who goes on writing into it is noticed.
    """

    pattern: Pattern
    order: Literal["process_all", "latest_by_mtime", "fifo_by_name", "lexicographic"] = "process_all"
    limit_per_poll: int = Field(default=1_000, ge=1, le=10_000)
    max_bytes: int = Field(default=10 << 30, ge=1)
    looks: int = Field(default=2, ge=1, le=100)
    min_age_seconds: float = Field(default=0, ge=0, le=_MONTH)
    watch_seconds: float = Field(default=0, ge=0, le=_MONTH)
    done_file: str | None = None
    folders: Folders = Folders()
    adopt_after_seconds: float = Field(default=600, ge=0, le=_MONTH)
    again: Again = Again()
    expect: Expect | None = None
    unpack: Unpack | None = None

    @model_validator(mode="after")
    def _done_file_names_its_file(self) -> Self:
        if self.done_file is not None:
            found: list[Any] = re.findall(r"\{(\w*)\}", self.done_file)
            if found not in (["name"], ["stem"]) or "/" in self.done_file or self.done_file == f"{{{found[0]}}}":
                raise ValueError("done_file must hold {name} or {stem} once and something else, such as {name}.done")
        return self

    def done_name(self, name: str) -> str | None:
        """Return the name of a file's done-file, or None when the feed has none."""
        if self.done_file is None:
            return None
        stem, dot, _ = name.rpartition(".")
        return self.done_file.format(name=name, stem=stem if dot else name)

    def is_done_file(self, name: str) -> bool:
        """Whether a name has the shape of a done-file; such a one is never data."""
        if self.done_file is None:
            return False
        before, _, after = self.done_file.replace("{stem}", "{name}").partition("{name}")
        return len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after)
