"""What libraries raise about a stranger's bytes, as one of our errors. They raise anything: damage is met all over
them."""

from collections.abc import Iterator
from contextlib import contextmanager

from import_project.errors import ImportProjectError, Unreadable


@contextmanager
def foreign_errors(what: str) -> Iterator[None]:
    """Turn an error that is not ours into Unreadable: `what` cannot be read. Panics of Rust are no Exceptions, but
    count.

    A library that is not installed is none of the content's doing.
    """
    try:
        yield
    except (ImportProjectError, ImportError, GeneratorExit):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unreadable(f"{what} cannot be read: {told[:300]}") from error
