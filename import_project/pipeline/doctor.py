"""Trying out what a feed needs before a file depends on it: source, host key, listing, rights, API. Changes nothing but
small probe files of its own, which it removes; a login that was let in is no longer spared."""

import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from import_project.config.load import LoadedFeed
from import_project.config.patterns import rendered
from import_project.config.sources import SftpServer
from import_project.config.values import secret_files
from import_project.errors import (
    ApiAnswerUnusable,
    ApiUnavailable,
    FileVanished,
    HostKeyRefused,
    ImportProjectError,
    LoginRefused,
    SourceDenied,
    SourceUnreachable,
)
from import_project.pipeline.logins import let_in
from import_project.pipeline.parts import Parts
from import_project.sources.base import Source
from import_project.sources.sftp_login import offered_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried out: `told` says what was found, `do` how to mend it, if it must be."""

    feed: str
    check: str
    ok: bool
    told: str
    do: str | None = None


async def examine(parts: Parts, loaded: LoadedFeed) -> AsyncIterator[Finding]:
    """Try out everything one feed needs, and yield what was found; a source that fails does not hide the API."""
    for finding in _secrets(loaded):
        yield finding
    try:
        async with parts.open_source(loaded) as source:
            yield _good(loaded, "connect", _place(loaded))
            if isinstance(loaded.feed.source, SftpServer) and loaded.feed.source.legacy_ssh:
                told = "SHA-1 and short RSA keys are allowed: leave out source.legacy_ssh once it is newer"
                yield _good(loaded, "host key", told)
            listing = await _listing(parts, loaded, source)
            let_in(parts, loaded)
            yield listing
            async for finding in _rights(parts, loaded, source):
                yield finding
    except HostKeyRefused as error:
        yield _bad(loaded, "host key", error, await _how_to_trust(loaded))
    except LoginRefused as error:
        yield _bad(loaded, "login", error)
    except SourceUnreachable as error:
        yield _bad(loaded, "connect", error, error.do or "check address and port, and that this machine may reach them")
    except SourceDenied as error:
        yield _bad(loaded, "list", error)
    except FileVanished as error:
        yield _bad(loaded, "list", error, "check the source's path or prefix")
    except ImportProjectError as error:
        yield _bad(loaded, "source", error, error.do or "check the feed's source")
    yield await _api(parts, loaded)


def _secrets(loaded: LoadedFeed) -> Iterator[Finding]:
    """Say which files of secrets every user of this machine may read."""
    models = [loaded.feed, *([] if loaded.api is None else [loaded.api])]
    paths = {path for model in models for path in secret_files(model)}
    bare = sorted(str(path) for path in paths if _open_to_all(path))
    if bare:
        told = f"every user of this machine may read {', '.join(bare)}"
        yield Finding(feed=loaded.name, check="secrets", ok=False, told=told, do=f"chmod o= {' '.join(bare)}")
    elif paths:
        yield _good(loaded, "secrets", f"no other user of this machine may read the {_counted(len(paths))}")


def _open_to_all(path: Path) -> bool:
    try:
        above = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
        return above and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:  # where it is read, its error is told
        return False


def _counted(files: int) -> str:
    return "file of the secret" if files == 1 else f"{files} files of secrets"


async def _how_to_trust(loaded: LoadedFeed) -> str | None:
    """Name the key that the server shows, for a person to compare; it is never trusted by itself."""
    source = loaded.feed.source
    if not isinstance(source, SftpServer):
        return None
    fingerprint, line = await offered_key(source.host, source.port)
    place = line.split(maxsplit=1)[0]
    known = any(
        place in kept.split(maxsplit=1)[:1] for kept in source.known_hosts.read_text("utf-8", "replace").splitlines()
    )
    told = f"compare {fingerprint} with what the partner says; if it is theirs, add to {source.known_hosts}: {line}"
    if known:
        return f"{source.known_hosts} holds ANOTHER key for this server: it was changed, or is not theirs; {told}"
    return told


def _place(loaded: LoadedFeed) -> str:
    source = loaded.feed.source
    secured = {"sftp": "host key and login accepted", "ftp": "certificate and login accepted"}
    return secured.get(source.kind, "reached")


async def _listing(parts: Parts, loaded: LoadedFeed, source: Source) -> Finding:
    listing = await source.list(loaded.feed.files.pattern.matcher(parts.clock()))
    unsafe = f", {len(listing.unsafe)} with unsafe names" if listing.unsafe else ""
    return _good(loaded, "list", f"{_files(len(listing.files))} the pattern{unsafe}")


def _files(count: int) -> str:
    return "1 file fits" if count == 1 else f"{count} files fit"


async def _rights(parts: Parts, loaded: LoadedFeed, source: Source) -> AsyncIterator[Finding]:
    if loaded.feed.source.read_only:
        yield _good(loaded, "rename", "read-only: nothing is moved, the ledger alone claims")
        return
    folders, today = loaded.feed.files.folders, parts.clock().astimezone(loaded.feed.files.pattern.zone)
    for name in ("processing", "archive", "failed"):
        folder = rendered(getattr(folders, name), today)
        try:
            await source.try_out(folder)
        except ImportProjectError as error:
            do = "have the account given the right, or say read_only: true"
            yield _bad(loaded, f"rename into {name}", error, do)
        else:
            yield _good(loaded, f"rename into {name}", folder)


async def _api(parts: Parts, loaded: LoadedFeed) -> Finding:
    if loaded.api is None:
        name, called = next((k.removeprefix("post."), v) for k, v in loaded.feed.post.calls.items() if v)
        return _good(loaded, name, f"{called} is called with each {'row' if name == 'on_row' else 'payment'}")
    path = (loaded.feed.match and loaded.feed.match.invoices.api) or "/"
    try:
        async with parts.open_api(loaded) as api:
            await api.get(path)
    except ApiAnswerUnusable as error:
        if loaded.feed.match:
            return _bad(loaded, "api", error, "check the API's address and match.invoices")
    except ApiUnavailable as error:
        return _bad(loaded, "api", error, "see whether it runs, and check its base_url")
    except ImportProjectError as error:
        return _bad(loaded, "api", error)
    answered = (
        f"GET {path} answers" if loaded.feed.match else "answers; whether it takes the token shows with the first row"
    )
    return _good(loaded, "api", f"{loaded.api.api}: {answered}")


def _good(loaded: LoadedFeed, check: str, told: str) -> Finding:
    return Finding(feed=loaded.name, check=check, ok=True, told=told)


def _bad(loaded: LoadedFeed, check: str, error: ImportProjectError, do: str | None = None) -> Finding:
    return Finding(feed=loaded.name, check=check, ok=False, told=error.what, do=do or error.do)
