"""Which names inside archives may be used. They are shown and matched, and never become a path of ours."""

import re

from import_project.errors import NotAllowed

LONGEST = 255


def shown(path: str) -> str:
    """Return a name from an archive, safe or not, in a short form that can be shown."""
    return ascii(path[:100]) if not path.isprintable() or len(path) > 100 else repr(path)


def own_name(path: str) -> str:
    """Return the last part of a path inside an archive.

    Raises NotAllowed for a path that is absolute, climbs with `..`, or holds control characters or backslashes,
    and for a name that is empty or longer than 255 bytes.
    """
    if not path.isprintable() or "\\" in path:
        raise _refused(path, "has control characters or backslashes in its name")
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        raise _refused(path, "has an absolute path")
    folders = path.removesuffix("/").split("/")
    if ".." in folders:
        raise _refused(path, "points out of the archive with '..'")
    if not folders[-1] or len(folders[-1].encode()) > LONGEST:
        raise _refused(path, f"has no name of 1 to {LONGEST} bytes")
    return folders[-1]


def _refused(path: str, why: str) -> NotAllowed:
    return NotAllowed(f"the member {shown(path)} {why}", do="ask the sender to pack plain files only")
