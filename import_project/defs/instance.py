"""Dagster's instance: opening it, and telling what its own storage says when that fails. Nothing of runs."""

import errno
import os

import dagster as dg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from import_project.errors import ConfigError, ImportProjectError, InstanceUnavailable, one_line

#: What a database says to a wrong statement, whoever made it.
_MISTAKES = (IntegrityError, ProgrammingError, DataError)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def open_instance() -> dg.DagsterInstance:
    """Open the instance that DAGSTER_HOME names. Raises ConfigError when there is none, and InstanceUnavailable."""
    if not os.environ.get("DAGSTER_HOME"):
        raise ConfigError("DAGSTER_HOME is not set", do="name a folder with a copy of dagster.yaml")
    try:
        return dg.DagsterInstance.get()
    except dg.DagsterError as error:
        raise ConfigError(str(error)) from error
    except (DBAPIError, OSError) as error:
        raise told_by_dagster(error) from error


def told_by_dagster(error: Exception) -> ImportProjectError:
    """Return an error that passed through Dagster as one of ours; neither ours nor its storage's, it is a defect."""
    if isinstance(error, ImportProjectError):
        return error
    why = None
    if isinstance(error, DBAPIError) and not isinstance(
        error, _MISTAKES
    ):  # of our own ledger these have a name by then
        why = str(error.orig)
    elif isinstance(error, OSError) and error.errno in _FULL:
        why = str(error)
    if why is not None:
        do = "free space, or see to its database: a later pass goes on"
        return InstanceUnavailable(f"Dagster's own storage fails: {one_line(why)}", do=do)
    told = f"{type(error).__name__}: {one_line(str(error))}"
    return ImportProjectError(told, do="this is a defect of ours; please report it")
