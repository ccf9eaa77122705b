"""How to reach a bucket: place, login, the library's client, and its errors in our words. No objects here."""

import base64
import hmac
import os
import posixpath
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from import_project.at_exit import let_threads_leave
from import_project.errors import ConfigError, FileVanished, LoginRefused, SourceDenied, SourceError, SourceUnreachable

# By kind: how errors name the place, what the source is called, the cloud's own endpoint.
_KINDS = {
    "s3": ("s3", "an S3", "https://s3.{0.region}.amazonaws.com"),
    "gcs": ("gs", "a Google Cloud Storage", "https://storage.googleapis.com"),
    "azure_blob": ("azure", "an Azure Blob", "https://{0.account}.blob.core.windows.net"),
}
_WRONG_LOGIN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed",
                "AuthenticationFailed", "NoAuthenticationInformation", "InvalidAuthenticationInfo"}  # fmt: skip
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """A bucket (at Azure a container of `account`), the prefix that is the inbox, and the login. Times in seconds.

    S3 needs `region`, `access_key_id` and `secret_access_key`; GCS the JSON text of a service account's key; Azure
    `account` and its key or a SAS. Nothing is taken from this machine's environment unless `machine_login` says so
    (S3 and GCS). Without an `endpoint` it is the cloud's own; plain http only where the endpoint begins so.
    """

    kind: Literal["s3", "gcs", "azure_blob"]
    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = ""
    account: str = ""
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    service_account_key: str | None = field(default=None, repr=False)
    account_key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)
    machine_login: bool = False
    connect_timeout: float = 15.0
    step_timeout: float = 60.0
    copy_timeout: float = 600.0

    @property
    def name(self) -> str:
        """The bucket, as errors name it."""
        return f"{_KINDS[self.kind][0]}://{f'{self.account}/' if self.account else ''}{self.bucket}"

    @property
    def address(self) -> str:
        """The endpoint; always given to the library, which would else look for one in the environment."""
        return (self.endpoint or _KINDS[self.kind][2].format(self)).rstrip("/")

    def key(self, path: str) -> str:
        """Return the key of a path: below the prefix, or from the bucket's root where it begins with a slash."""
        return posixpath.join("/", self.prefix, path).strip("/")


def azure_signature(place: ObjectPlace, address: str, version: str) -> dict[str, str]:
    """Sign a deletion with the account's key. The library would sign it too, but not where a name has a blank."""
    headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": "2023-11-03"}
    told = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "DELETE" + "\n" * 8 + version + "\n" * 4 + told + f"/{place.account}{urlsplit(address).path}"
    digest = hmac.digest(base64.b64decode(place.account_key or ""), text.encode(), "sha256")
    return {**headers, "authorization": f"SharedKey {place.account}:{base64.b64encode(digest).decode()}"}


def client(place: ObjectPlace, headers: dict[str, str] | None = None, *, patient: bool = False) -> Any:
    """Make the library's client; a `patient` one waits as long as a copy may take. Raises ConfigError."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError:
        advice = "pip install 'import_project[objects]'"
        raise ConfigError(f"{_KINDS[place.kind][1]} source needs obstore", do=advice) from None
    let_threads_leave()
    common: dict[str, Any] = {
        "client_options": {
            "allow_http": place.address.startswith("http://"),
            "connect_timeout": timedelta(seconds=place.connect_timeout),
            "timeout": timedelta(days=1),  # for a whole download; each read has its own limit
            "read_timeout": timedelta(seconds=place.copy_timeout if patient else place.step_timeout),
            "default_headers": headers or {},
        },
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=place.step_timeout)},
        "skip_signature": False,
    }
    login = _login(place)
    if login is not None and place.kind != "gcs":
        common["credential_provider"] = lambda: {**login, "expires_at": None}  # not mixed with the environment's
    try:
        if place.kind == "s3":
            # In parts is the way in which S3 can copy and not overwrite.
            common |= {"conditional_put": "etag", "copy_if_not_exists": "multipart", "region": place.region}
            return S3Store(place.bucket, endpoint=place.address, virtual_hosted_style_request=False, **common)
        if place.kind == "azure_blob":
            base64.b64decode(place.account_key or "", validate=True)
            common |= {"account_name": place.account, "endpoint": place.address}
            return AzureStore(place.bucket, use_emulator=False, **common)
        return GCSStore(place.bucket, base_url=place.address, **(login or {}), **common)
    except (BaseError, ValueError):
        # The library's own words can hold the key.
        raise ConfigError(f"the login for {place.name} cannot be used", do="check the key's form") from None


def _login(place: ObjectPlace) -> dict[str, Any] | None:
    """Return exactly the given login; None for the machine's own."""
    if place.machine_login and place.kind != "azure_blob":
        return None
    if place.kind == "s3" and place.access_key_id and place.secret_access_key:
        return {"access_key_id": place.access_key_id, "secret_access_key": place.secret_access_key}
    if place.kind == "gcs" and place.service_account_key:
        if (
            others := {"GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"}
            & os.environ.keys()
        ):
            # The library takes the first before any key, and the others beside none.
            raise ConfigError(f"{min(others)} stands against the key given for {place.name}", do="unset it")
        return {"service_account_key": place.service_account_key}
    if place.kind == "azure_blob" and place.account_key:
        return {"access_key": place.account_key}
    if place.kind == "azure_blob" and place.sas:
        return {"sas_token": place.sas.removeprefix("?")}
    raise ConfigError(f"no login for {place.name}", do="give its keys, or say that the machine's own login is meant")


def refusal(place: ObjectPlace, doing: str, said: str) -> SourceError:
    """Turn what the library said into one of our errors; its text may hold secrets and is not shown."""
    status, code = (found[1] if (found := re.search(x, said)) else "" for x in (r"status code: (\d+)", r"<Code>(\w+)<"))
    kind: type[SourceError] = SourceUnreachable
    why, advice = f"the store answered {status} {code}".rstrip(), None
    if code in _NO_BUCKET:
        why, advice = "no such bucket", "check its name, region and endpoint"
    elif status in {"404", "412"} and not doing.startswith("list "):
        kind, why = FileVanished, "it is gone or was replaced"
    elif status == "401" or code in _WRONG_LOGIN:
        kind, advice = LoginRefused, "check the keys, and this machine's clock"
    elif status == "403":
        kind, advice = SourceDenied, "ask the bucket's owner for the right"
    elif "Error parsing Path" in said:
        kind, why, advice = SourceDenied, "a key there cannot be used", "remove what has control characters or // in it"
    elif not status:
        why, advice = "no connection", "check the endpoint, and whether this machine reaches it"
    elif status not in {"408", "409", "425", "429"} and status < "500":
        kind, advice = SourceDenied, "check the bucket's region and endpoint"
    return kind(f"cannot {doing} at {place.name}: {why}", do=advice)
