"""Which file names a pattern means. Pure."""

import fnmatch
import re
from collections.abc import Callable


def matcher(*, glob: str | None = None, regex: str | None = None) -> Callable[[str], bool]:
    """Return a test for whole names, case-sensitive. Raises re.error for a malformed regular expression."""
    compiled = re.compile(regex if regex is not None else fnmatch.translate(glob or "*"))
    return lambda name: compiled.fullmatch(name) is not None
