"""A row or payment as the request that its endpoint wants: method, path and body, to be frozen. Nothing is sent."""

from collections.abc import Mapping
from typing import Any

from import_project.errors import ConfigError
from import_project.pipeline.freeze import as_json
from import_project.posting.templates import filled, filled_path
from import_project.records.endpoints import Endpoint


def request_of(endpoint: Endpoint | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `method`, `path` and `body` (JSON) for the values of a row or payment; without an endpoint, for Python
    that is called, all of them.

    Raises ConfigError for a path that needs a value which is empty, and for values that JSON cannot hold.
    """
    where = endpoint or Endpoint(path="")
    try:
        body = dict(values) if where.body is None else filled(where.body, values)
        return {"method": where.method, "path": filled_path(where.path, values), "body": as_json(body)}
    except KeyError as missing:
        raise ConfigError(f"the path {where.path} needs {missing}, which is empty") from None
    except ValueError as error:
        raise ConfigError(f"a row cannot be written as JSON: {error}") from None
