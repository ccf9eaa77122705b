"""An object store behind landing and tables, for several machines: what is written in a folder is there before the
write counts, and what another machine wrote is brought when it is read. The folders are a cache of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from import_project.errors import ConfigError, StoreFull
from import_project.store.disk import part_file, settle

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PIECE = 8 << 20


class Objects:
    """Objects under an address such as `s3://bucket/prefix`, `gs://` or `az://`, named by their paths below `root`.

    Who we are is told as the store's own tools are told: variables such as AWS_ACCESS_KEY_ID, or the machine's role. A
    store that does not answer is a StoreFull, which a retry can help.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._opened: ObjectStore | None = None

    @property
    def _store(self) -> "ObjectStore":
        if self._opened is None:
            try:
                from obstore.store import from_url
            except ImportError:
                told = "IMPORT_PROJECT_OBJECTS needs the extra `objects`"
                raise ConfigError(told, do='pip install "import_project[objects]"') from None
            try:
                self._opened = from_url(self._address)
            except Exception as error:
                told = f"IMPORT_PROJECT_OBJECTS: {type(error).__name__}: {str(error).splitlines()[0]}"
                raise ConfigError(told, do="such as s3://bucket/prefix") from error
        return self._opened

    def put(self, path: Path, key: str, *, changes: bool) -> None:
        """Keep the bytes of a file, over older ones. Where an object `changes`, which one the file is is noted beside
        it."""
        import obstore

        with self._errors(f"write {key} to"):
            tag = obstore.put(self._store, key, path)["e_tag"]
        if changes:
            _note(path, tag)

    def bring(self, key: str, path: Path, *, changes: bool) -> bool:
        """Let the file be what the object is, if there is one. Returns whether there is."""
        import obstore

        with self._errors(f"read {key} from"):
            try:
                if path.is_file() and (not changes or _noted(path) == obstore.head(self._store, key)["e_tag"]):
                    return True
                found = obstore.get(self._store, key)
            except FileNotFoundError:
                return False
            with part_file(path.parent) as part:
                with part.open("wb") as out:
                    for piece in found.stream(min_chunk_size=_PIECE):
                        out.write(piece)
                settle(part, path)
        if changes:
            _note(path, found.meta["e_tag"])
        return True

    def modified(self, key: str) -> datetime | None:
        """Return when an object was written, aware UTC; None when there is none."""
        import obstore

        with self._errors(f"read {key} from"):
            try:
                return obstore.head(self._store, key)["last_modified"]
            except FileNotFoundError:
                return None

    def remove(self, key: str) -> None:
        """Delete an object, if there is one."""
        import obstore

        with self._errors(f"remove {key} from"):
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def all(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield the objects below a prefix, and when each was written."""
        import obstore

        with self._errors(f"look through {prefix} in"):
            for some in obstore.list(self._store, prefix):
                yield from ((one["path"], one["last_modified"]) for one in some)

    def folders(self, prefix: str) -> list[str]:
        """Return what stands directly below a prefix, as a folder would."""
        import obstore

        with self._errors(f"look through {prefix} in"):
            return [str(one) for one in obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]]

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:  # the store's, the network's, the disk's
            told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise StoreFull(
                f"cannot {doing} {self._address}: {told}", do="mend the store or our rights in it; the next try goes on"
            ) from error


def forget_noted(path: Path) -> None:
    """Take away what is noted beside a file."""
    _beside(path).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.etag")


def _note(path: Path, tag: str | None) -> None:
    _beside(path).write_text(tag or "", "utf-8")


def _noted(path: Path) -> str | None:
    """Return which object the file is; None for one that nobody has noted. An empty tag fits no object."""
    try:
        return _beside(path).read_text("utf-8") or None
    except FileNotFoundError:
        return None
