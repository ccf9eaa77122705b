"""A bucket as claims need it: single steps, each bounded in time, and conditional where the store can be.

Through obstore, an optional extra. How a claim and a move are put together from these steps is in `object_store`, how
the store is reached in `object_login`.
"""

import asyncio
import contextlib
import logging
import posixpath
from collections.abc import AsyncIterator, Callable
from datetime import UTC, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx

from import_project.errors import FileVanished, SourceUnreachable
from import_project.records.files import Listed
from import_project.sources.base import CHUNK
from import_project.sources.object_login import ObjectPlace, azure_signature, client, refusal


class Bucket:
    """The steps. Each raises SourceUnreachable, LoginRefused or SourceDenied; keys are from the bucket's root."""

    _store: Any  # obstore's client

    def __init__(self, place: ObjectPlace) -> None:
        self.place = place
        self._http: httpx.AsyncClient | None = None  # made when it is needed: it reads all certificates

    async def __aenter__(self) -> Self:
        """Make the library's client; nothing is sent yet. Raises ConfigError."""
        self._store = client(self.place)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client that deletes; the library keeps no session."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def list(self, folder: str) -> tuple[Listed, ...]:
        """List the objects directly below a folder's key, by their last name; the library asks page after page."""
        async with self._step("list", f"{folder}/"):
            found = await _run(self._store.list_with_delimiter, folder or None)
        inside = f"{folder}/" if folder else ""
        # A console's "folder" is an empty object whose key ends in a slash, which the library cuts off.
        return tuple(_listed(o) for o in found["objects"] if o["path"].startswith(inside))

    async def head(self, key: str) -> Listed | None:
        """Return an object's facts, or None where there is none."""
        with contextlib.suppress(FileVanished):
            async with self._step("look at", key):
                return _listed(await _run(self._store.head, key))
        return None

    async def read(self, key: str) -> bytes | None:
        """Return a small object's bytes, or None where there is none."""
        with contextlib.suppress(FileVanished):
            async with self._step("read", key):
                content: bytes = await _run(lambda: bytes(self._store.get(key).bytes()))
                return content
        return None

    async def stream(self, key: str, version: str) -> AsyncIterator[bytes]:
        """Stream the bytes of that version, and of no other. Raises FileVanished where it is gone or replaced."""
        async with self._step("read", key):
            answer = await _run(self._store.get, key, options={"if_match": version})
        chunks = iter(answer.stream(min_chunk_size=CHUNK))
        while True:
            async with self._step("read", key):
                chunk = await _run(next, chunks, None)
            if chunk is None:
                return
            yield bytes(chunk)

    async def write(self, key: str, content: bytes, *, new: bool) -> bool:
        """Write a small object; a new one only where there is none, in one step: else False."""
        from obstore.exceptions import AlreadyExistsError

        with contextlib.suppress(AlreadyExistsError):
            async with self._step("write", key):
                await _run(self._store.put, key, content, mode="create" if new else "overwrite")
                return True
        return False

    async def copy(self, key: str, to: str) -> bool:
        """Copy an object within the store, never over another: False where `to` is there. Raises FileVanished."""
        from obstore.exceptions import AlreadyExistsError

        with contextlib.suppress(AlreadyExistsError):
            async with self._step(f"copy to {to}:", key, self.place.copy_timeout):
                await _run(client(self.place, patient=True).copy, key, to, overwrite=False)
                return True
        return False

    async def remove(self, key: str, version: str | None = None) -> None:
        """Delete an object, given a version only that: where it is gone or replaced, what is there stays."""
        with contextlib.suppress(FileVanished):
            async with self._step("remove", key):
                if self.place.kind != "gcs":
                    await self._remove_by_address(key, version)
                    return
                meta = await _run(self._store.head, key)
                if version is None or _version(meta["e_tag"]) == version:
                    # Google deletes by generation, told in a header of every request of a client of its own.
                    only = {"x-goog-if-generation-match": meta["version"] or ""}
                    await _run(client(self.place, only).delete, key)

    async def _remove_by_address(self, key: str, version: str | None) -> None:
        """Delete by If-Match, which the library does not know: S3 by an address that it signs."""
        import obstore

        place, only = self.place, {"If-Match": version} if version else {}
        address = f"{place.address}/{place.bucket}/{quote(key)}"
        if place.kind == "s3":
            lasts = timedelta(seconds=place.step_timeout + 60)
            address = await _run(obstore.sign, self._store, "DELETE", key, lasts)
        elif place.sas:
            address += f"?{place.sas.removeprefix('?')}"
        else:
            only |= azure_signature(place, address, version or "")
        if self._http is None:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs addresses, and so a SAS
            self._http = httpx.AsyncClient(timeout=httpx.Timeout(place.step_timeout, connect=place.connect_timeout))
        answer = await self._http.delete(address, headers=only)
        if not answer.is_success and answer.status_code not in {404, 412}:
            raise refusal(place, f"remove {key}", f"status code: {answer.status_code} {answer.text}")

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
            raise refusal(self.place, doing, str(error)) from None


async def _run(step: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Run a blocking step in a thread.

    The library's own async calls finish in threads that Python does not know: one that is late aborts the process when
    it ends, one time in ten.
    """
    return await asyncio.to_thread(step, *given, **named)


def _listed(meta: Any) -> Listed:
    mtime = meta["last_modified"].astimezone(UTC).replace(microsecond=0)
    return Listed(
        name=posixpath.basename(meta["path"]), size=meta["size"], mtime=mtime, version=_version(meta["e_tag"])
    )


def _version(e_tag: str | None) -> str | None:
    # Azure quotes an ETag in a header and not in a listing.
    return '"{}"'.format(e_tag.strip('"')) if e_tag else None
