"""Paths and bodies with fields in braces, filled from a row's or payment's values. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

_FIELD = re.compile(r"\{(\w+)\}")


def fields_of(template: Any) -> set[str]:
    """Return the names in braces, wherever they stand in a template."""
    return {name for text in texts_of(template) for name in _FIELD.findall(text)}


def texts_of(template: Any) -> Iterator[str]:
    """Yield all texts of a template."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from texts_of(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from texts_of(value)


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its fields filled. A text that is one field alone becomes the value itself, number or
    null; within a longer text, null is nothing."""
    if isinstance(template, str):
        alone = _FIELD.fullmatch(template)
        if alone:
            return values[alone[1]]
        return _FIELD.sub(lambda m: "" if values[m[1]] is None else str(values[m[1]]), template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template


def filled_path(template: str, values: Mapping[str, Any]) -> str:
    """Return a path with its fields filled and quoted, so that no value adds a step to it. Raises KeyError for a value
    that is missing, empty or only dots."""

    def text(match: re.Match[str]) -> str:
        value = values.get(match[1])
        told = "" if value is None else str(value)
        if not told or not told.strip("."):
            raise KeyError(match[1])
        return quote(told, safe="")

    return _FIELD.sub(text, template)
