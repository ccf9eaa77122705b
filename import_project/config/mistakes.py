"""What pydantic finds wrong with a file, in words for whoever wrote the file: the key, and what was expected."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from import_project.formats.registry import FORMATS

#: What pydantic puts into a place beside the file's own keys: the kinds of source and format, and its own steps.
_KINDS = frozenset({"local_fs", "sftp", "ftp", "s3", "gcs", "azure_blob", "http_pull"}) | frozenset(FORMATS)
_STEPS = frozenset({"function-before", "function-after", "date"})

_WORDS = {
    "missing": "is missing",
    "string_type": "expected a text; one from outside is written {env: NAME}",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "tuple_type": "expected a list: [A, B]",
    "model_type": "expected keys and values, such as {glob: '*.csv'}",
    "model_attributes_type": "expected keys and values",
    "dict_type": "expected keys and values",
    "union_tag_not_found": "kind is missing",
}


def told(errors: ValidationError, model: type[BaseModel]) -> str:
    """Return the first mistake in words, and how many more there are; a slip in a key explains others, and is first."""
    found = errors.errors(include_url=False, include_input=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    kind = next((str(p) for p in first["loc"] if p in _KINDS), None)
    places = [str(p) for p in first["loc"] if p not in _KINDS | _STEPS]
    where = ".".join(places)
    if first["type"] == "extra_forbidden":
        what = _unknown(places[-1], _keys(model, places[:-1], kind))
    elif first["type"] == "union_tag_invalid":
        what = _no_kind(first["ctx"])
    else:
        what = in_words(first)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}: {what}{more}" if where else what + more


def in_words(mistake: Mapping[str, Any]) -> str:
    """Return what is wrong with a value."""
    plain = str(mistake["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return _WORDS.get(mistake["type"], plain)


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return "unknown key" + (f", did you mean {near[0]}?" if near else f"; known are {', '.join(known)}")


def _no_kind(context: dict[str, Any]) -> str:
    known = [k.strip().strip("'") for k in str(context["expected_tags"]).split(",")]
    near = difflib.get_close_matches(str(context["tag"]), known, n=1)
    return f"kind {context['tag']!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]}?" if near else "")


def _keys(model: type[BaseModel], path: list[str], kind: str | None) -> list[str]:
    """Return the keys that may stand at `path` of a file, by its model's JSON Schema; of a source, of its kind."""
    root = model.model_json_schema()
    nodes: list[dict[str, Any]] = [root]
    for step in path:
        nodes = [n for node in nodes for n in _below(node, step, root, kind)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _below(node: dict[str, Any], step: str, root: dict[str, Any], kind: str | None) -> list[dict[str, Any]]:
    child = node.get("properties", {}).get(step) or node.get("items", {})
    by_kind = child.get("discriminator", {}).get("mapping", {})
    options = [{"$ref": by_kind[kind]}] if kind in by_kind else child.get("oneOf") or child.get("anyOf") or [child]
    return [root["$defs"][o["$ref"].rsplit("/", 1)[-1]] if "$ref" in o else o for o in options]
