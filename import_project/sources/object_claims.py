"""A bucket as claims need it: single steps, each bounded in time, and conditional where the store can be.

Through obstore, an optional extra. How a claim and a move are put together from these steps is in `object_store`; here
are only the place, the login, the steps, and the store's errors in our words.
"""

import asyncio
import base64
import contextlib
import hmac
import logging
import os
import posixpath
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import httpx

from import_project.errors import ConfigError, FileVanished, LoginRefused, SourceDenied, SourceError, SourceUnreachable
from import_project.records.files import Listed
from import_project.sources.base import CHUNK

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


class Bucket:
    """The steps. Each raises SourceUnreachable, LoginRefused or SourceDenied; keys are from the bucket's root."""

    _store: Any  # obstore's client

    def __init__(self, place: ObjectPlace) -> None:
        self.place = place
        self._http: httpx.AsyncClient | None = None  # made when it is needed: it reads all certificates

    async def __aenter__(self) -> Self:
        """Make the library's client; nothing is sent yet. Raises ConfigError."""
        self._store = _store(self.place)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client that deletes; the library keeps no session."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def list(self, folder: str) -> tuple[Listed, ...]:
        """List the objects directly below a folder's key, by their last name; the library asks page after page."""
        async with self._step("list", f"{folder}/"):
            found = await self._store.list_with_delimiter_async(folder or None)
        inside = f"{folder}/" if folder else ""
        # A console's "folder" is an empty object whose key ends in a slash, which the library cuts off.
        return tuple(_listed(o) for o in found["objects"] if o["path"].startswith(inside))

    async def head(self, key: str) -> Listed | None:
        """Return an object's facts, or None where there is none."""
        with contextlib.suppress(FileVanished):
            async with self._step("look at", key):
                return _listed(await self._store.head_async(key))
        return None

    async def read(self, key: str) -> bytes | None:
        """Return a small object's bytes, or None where there is none."""
        with contextlib.suppress(FileVanished):
            async with self._step("read", key):
                return bytes(await (await self._store.get_async(key)).bytes_async())
        return None

    async def stream(self, key: str, version: str) -> AsyncIterator[bytes]:
        """Stream the bytes of that version, and of no other. Raises FileVanished where it is gone or replaced."""
        async with self._step("read", key):
            answer = await self._store.get_async(key, options={"if_match": version})
        chunks = answer.stream(min_chunk_size=CHUNK)
        while True:
            async with self._step("read", key):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield bytes(chunk)

    async def write(self, key: str, content: bytes, *, new: bool) -> bool:
        """Write a small object; a new one only where there is none, in one step: else False."""
        from obstore.exceptions import AlreadyExistsError

        with contextlib.suppress(AlreadyExistsError):
            async with self._step("write", key):
                await self._store.put_async(key, content, mode="create" if new else "overwrite")
                return True
        return False

    async def copy(self, key: str, to: str) -> bool:
        """Copy an object within the store, never over another: False where `to` is there. Raises FileVanished."""
        from obstore.exceptions import AlreadyExistsError

        with contextlib.suppress(AlreadyExistsError):
            async with self._step(f"copy to {to}:", key, self.place.copy_timeout):
                await self._store.copy_async(key, to, overwrite=False)
                return True
        return False

    async def remove(self, key: str, version: str | None = None) -> None:
        """Delete an object, given a version only that: where it is gone or replaced, what is there stays."""
        with contextlib.suppress(FileVanished):
            async with self._step("remove", key):
                if self.place.kind != "gcs":
                    await self._remove_by_address(key, version)
                    return
                meta = await self._store.head_async(key)
                if version is None or _version(meta["e_tag"]) == version:
                    # Google deletes by generation, told in a header of every request of a client of its own.
                    only = {"x-goog-if-generation-match": meta["version"] or ""}
                    await _store(self.place, only).delete_async(key)

    async def _remove_by_address(self, key: str, version: str | None) -> None:
        """Delete by If-Match, which the library does not know: S3 by an address that it signs."""
        import obstore

        place, only = self.place, {"If-Match": version} if version else {}
        address = f"{place.address}/{place.bucket}/{quote(key)}"
        if place.kind == "s3":
            address = await obstore.sign_async(self._store, "DELETE", key, timedelta(seconds=place.step_timeout + 60))
        elif place.sas:
            address += f"?{place.sas.removeprefix('?')}"
        else:
            only |= _azure_signature(place, address, version or "")
        if self._http is None:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs addresses, and so a SAS
            self._http = httpx.AsyncClient(timeout=httpx.Timeout(place.step_timeout, connect=place.connect_timeout))
        answer = await self._http.delete(address, headers=only)
        if not answer.is_success and answer.status_code not in {404, 412}:
            raise _refusal(place, f"remove {key}", f"status code: {answer.status_code} {answer.text}")

    @contextlib.asynccontextmanager
    async def _step(self, doing: str, key: str, limit: float | None = None) -> AsyncIterator[None]:
        """Bound a step in time, and turn the library's errors into ours."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        doing = f"{doing} {key}"
        try:
            async with asyncio.timeout(limit or self.place.step_timeout):
                yield
        except AlreadyExistsError:
            raise
        except TimeoutError:
            raise SourceUnreachable(f"cannot {doing} at {self.place.name}: no answer in time") from None
        except (BaseError, OSError, ValueError, httpx.HTTPError) as error:
            # The texts hold addresses, and those a SAS: status and code are told, and the cause is not kept.
            raise _refusal(self.place, doing, str(error)) from None


def _listed(meta: Any) -> Listed:
    mtime = meta["last_modified"].astimezone(UTC).replace(microsecond=0)
    return Listed(
        name=posixpath.basename(meta["path"]), size=meta["size"], mtime=mtime, version=_version(meta["e_tag"])
    )


def _azure_signature(place: ObjectPlace, address: str, version: str) -> dict[str, str]:
    """Sign a deletion with the account's key. The library would sign it too, but not where a name has a blank."""
    headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": "2023-11-03"}
    told = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "DELETE" + "\n" * 8 + version + "\n" * 4 + told + f"/{place.account}{urlsplit(address).path}"
    digest = hmac.digest(base64.b64decode(place.account_key or ""), text.encode(), "sha256")
    return {**headers, "authorization": f"SharedKey {place.account}:{base64.b64encode(digest).decode()}"}


def _version(e_tag: str | None) -> str | None:
    # Azure quotes an ETag in a header and not in a listing.
    return '"{}"'.format(e_tag.strip('"')) if e_tag else None


def _store(place: ObjectPlace, headers: dict[str, str] | None = None) -> Any:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError:
        advice = "pip install 'import_project[objects]'"
        raise ConfigError(f"{_KINDS[place.kind][1]} source needs obstore", do=advice) from None
    common: dict[str, Any] = {
        "client_options": {
            "allow_http": place.address.startswith("http://"),
            "connect_timeout": timedelta(seconds=place.connect_timeout),
            "timeout": timedelta(days=1),  # for a whole download; each chunk has its own limit
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


def _refusal(place: ObjectPlace, doing: str, said: str) -> SourceError:
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
