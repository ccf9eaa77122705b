"""Settings of an installation, from environment variables named IMPORT_PROJECT_*. Feeds are not settings."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from import_project.config.mistakes import in_words
from import_project.config.values import Strict
from import_project.errors import ConfigError

PREFIX = "IMPORT_PROJECT_"


_LONGEST_DAYS = 36_500
_FOR_EVER = frozenset({"", "forever", "for ever"})


def _for_ever(value: Any) -> Any:
    return None if value in _FOR_EVER else value


def _url(*schemes: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"is no address such as {schemes[0]}://host")  # the text itself may hold a secret
        return text

    return checked


#: How many days something is kept; `forever`: for ever.
Days = Annotated[Annotated[int, Field(ge=1, le=_LONGEST_DAYS)] | None, BeforeValidator(_for_ever)]
DaysOfDetail = Annotated[Annotated[int, Field(ge=30, le=_LONGEST_DAYS)] | None, BeforeValidator(_for_ever)]
Address = Annotated[str, AfterValidator(_url("https", "http"))]
Bucket = Annotated[str, AfterValidator(_url("s3", "gs", "az"))]
MailServer = Annotated[str, AfterValidator(_url("smtp", "smtps", "smtp+plain"))]


class Settings(Strict):
    """Where state lives and how runs behave. Times in seconds."""

    home: Path = Field(default=Path("home"), description="folder of landing, tables and the default ledger")
    feeds: Path = Field(default=Path("feeds"), description="folder of feed files")
    ledger: str | None = Field(default=None, repr=False, description="ledger database URL; default: SQLite in the home")
    watermark: Path | None = Field(
        default=None,
        description="file that remembers how far the ledger came, best on another disk; default: in the home",
    )
    objects: Bucket | None = Field(
        default=None, description="object store of landing and tables, such as s3://bucket/prefix; default: in the home"
    )
    alert_webhook: Address | None = Field(default=None, repr=False, description="URL that alerts are posted to")
    alert_email: str | None = Field(default=None, description="addresses that alerts are mailed to, with commas")
    alert_smtp: MailServer = Field(
        default="smtp+plain://localhost:25", description="mail server, such as smtp://user@host:587"
    )
    alert_smtp_password_file: Path | None = Field(default=None, description="file with the mail server's password")
    alert_from: str = Field(default="import_project@localhost", description="sender of alerts")
    alert_callback: str | None = Field(default=None, description="Python that is called with each: package.module:NAME")
    dagster_url: Address | None = Field(default=None, description="address of the Dagster UI, for links in alerts")
    lease_seconds: float = Field(default=60, gt=0, description="how long a killed run keeps its file from the next")
    keep_partition_days: int = Field(
        default=90, ge=1, le=_LONGEST_DAYS, description="how long a file that has ended stays a partition in Dagster"
    )
    keep_run_days: Days = Field(default=180, description="how long ended runs stay in Dagster")
    keep_landing_days: Days = Field(default=None, description="how long the bytes of ended files stay")
    keep_table_days: Days = Field(default=None, description="how long the tables of ended files stay")
    keep_detail_days: DaysOfDetail = Field(
        default=365, description="how long the ledger keeps attempts at steps, and alerts that have arrived"
    )
    log: Literal["text", "json"] = Field(default="text", description="how events are written to stderr")
    hook_hosts: str = Field(default="", description="hosts that may be told of ended jobs, with commas; empty: none")
    traces: Address | None = Field(
        default=None, description="OpenTelemetry collector (OTLP over HTTP) that gets traces"
    )
    stuck_minutes: int = Field(default=120, ge=1, description="after which a run without an end is told")
    retry_seconds: float = Field(
        default=30, gt=0, description="wait after a file's first failure; doubles, at most an hour"
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings. Raises ConfigError for an unknown variable of ours or a value that does not fit."""
        given: dict[str, Any] = {}
        for variable, value in environ.items():
            if variable.startswith(PREFIX):
                name = variable.removeprefix(PREFIX).lower()
                if name not in cls.model_fields:
                    known = [PREFIX + f.upper() for f in cls.model_fields]
                    near = get_close_matches(variable, known, n=1, cutoff=0.8)
                    do = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                    raise ConfigError(f"unknown setting {variable}", do=do)
                given[name] = value
        try:
            return cls.model_validate(given)
        except ValidationError as errors:
            first = errors.errors(include_url=False, include_input=False)[0]
            raise ConfigError(f"{PREFIX}{str(first['loc'][0]).upper()}: {in_words(first)}") from None

    @property
    def ledger_url(self) -> str:
        """The ledger's URL; by default a SQLite file in the home."""
        return self.ledger or f"sqlite:///{self.home.absolute()}/ledger.db"
