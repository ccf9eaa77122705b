"""Which accepted rows a feed leaves out: they are counted, and nothing is posted for them."""

import polars as pl

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError, ImportProjectError
from import_project.validation.schema import condition


def left_out(loaded: LoadedFeed, accepted: pl.DataFrame) -> list[bool]:
    """Return for each row whether the feed's `skip_if` holds: an SQL condition, or a function of a row's values.

    A condition that cannot be told leaves nothing out. Raises ConfigError for a function that fails.
    """
    if loaded.feed.skip_if is None or loaded.schema is None:
        return [False] * accepted.height
    asked = loaded.callbacks.skip_if
    if asked is None:
        found = accepted.select(skip=condition(loaded.feed.skip_if)).to_series().fill_null(value=False)
        return found.to_list() if found.len() == accepted.height else [bool(found[0])] * accepted.height
    rows = accepted.select(c.name for c in loaded.schema.columns).iter_rows(named=True)
    try:
        return [bool(asked(row)) for row in rows]
    except ImportProjectError:
        raise
    except Exception as error:
        raise ConfigError(f"skip_if failed: {type(error).__name__}: {error}", do="mend it", feed=loaded.name) from error
