"""JSON text to Python values, exactly: numbers stay text, a key given twice and odd constants are errors. No frames."""

import json
import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from import_project.formats.caps import DEEPEST

_SPACE = re.compile(r"[ \t\r\n]*")


class NotJson(ValueError):
    """Text that is no JSON, or not such as we take; the message says why."""


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def begins_like_json(start: bytes) -> bool:
    """Whether text without leading blanks begins as a JSON object or a list of them does."""
    return re.match(rb'\{\s*["}]|\[\s*(?:[\[{"\]]|-?\d+\s*[,\]]|true|false|null)', start) is not None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names: set[str] = set()
        twice = next(name for name, _ in pairs if name in names or names.add(name))  # type: ignore[func-returns-value]
        raise NotJson(f"the key {twice[:40]!r} is given twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise NotJson(f"{text} is no JSON value")


def decoder() -> json.JSONDecoder:
    """Return a decoder that keeps numbers as `Number` and refuses what is doubtful."""
    return json.JSONDecoder(
        object_pairs_hook=_once, parse_float=Number, parse_int=Number, parse_constant=_no_constant, strict=True
    )


def value_at(decode: json.JSONDecoder, text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at `start`, blanks left out, and where it ends.

    Raises NotJson; at the end of the text its `cut` is true when more text might make it a value.
    """
    begin = skipped(text, start)
    try:
        return decode.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise NotJson("values are nested too deep") from None


def skipped(text: str, start: int) -> int:
    """Return where the next text begins that is no blank."""
    found = _SPACE.match(text, start)
    assert found is not None
    return found.end()


def whole_value(decode: json.JSONDecoder, text: str) -> Any:
    """Return the one value of a text. Raises NotJson when there is none or something follows it."""
    value, end = value_at(decode, text, 0)
    rest = skipped(text, end)
    if rest != len(text):
        raise NotJson(f"more text follows the value at character {rest + 1}")
    return value


def written(value: Any, depth: int = 1) -> str:
    """Write a value as JSON, numbers as they were. Raises NotJson for what is nested too deep or is no JSON."""
    if depth > DEEPEST:
        raise NotJson(f"values are nested more than {DEEPEST} deep")
    match value:
        case Number() | Decimal():
            return str(value)
        case dict():
            return (
                "{"
                + ",".join(
                    f"{json.dumps(str(k), ensure_ascii=False)}:{written(v, depth + 1)}" for k, v in value.items()
                )
                + "}"
            )
        case list() | tuple():
            return "[" + ",".join(written(v, depth + 1) for v in value) + "]"
        case str() | int() | float() | None:
            return json.dumps(value, ensure_ascii=False)
        case date() | time():
            return json.dumps(value.isoformat())
        case UUID() | timedelta():
            return json.dumps(str(value))
        case bytes():
            return json.dumps(value.hex())
        case _:
            raise NotJson(f"a {type(value).__name__} is no value of a cell")
