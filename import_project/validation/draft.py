"""A schema drafted from rows of a sample: what all filled cells of a column have in common. Where two readings fit,
text is kept and the doubt is told: a draft may ask, never guess."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from import_project.frames import RESERVED
from import_project.validation.cells import as_plain_text, read_cells
from import_project.validation.columns import Column

_DATES = ("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y")
_TIMES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S%.f")
_DECIMALS = ((".", None), (",", None), (",", "."), (".", ","), (",", " "), (".", "'"), (".", " "))
Kind = Mapping[str, str | None]
#: The types that are tried, the narrowest first. Two-digit years only where points part them: six digits are ids.
_CANDIDATES: Sequence[Kind] = (
    {"type": "boolean"},
    *({"type": "date", "date_format": written} for written in _DATES),
    *({"type": "datetime", "datetime_format": written} for written in _TIMES),
    {"type": "integer"},
    *({"type": "decimal", "decimal_mark": mark, "group_mark": group} for mark, group in _DECIMALS),
)
_USUAL = {("date_format", _DATES[0]), ("datetime_format", _TIMES[0]), ("decimal_mark", ".")}
_USUAL_SCALE = 2
_TRIED_FIRST = 200
_MOST_CHOICES, _FROM_ROWS = 12, 20
_REMEMBERED = 200_000


@dataclass(kw_only=True)
class Drafted:
    """What is known of one column so far. `keys` are those of a schema's column, `doubts` what a person must decide."""

    name: str
    filled: int = 0
    rows: int = 0
    longest: int = 0
    kinds: list[Kind] | None = None
    scale: int = 0
    groups: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    repeats: bool = False
    example: str | None = None
    doubts: list[str] = field(default_factory=list)

    @property
    def required(self) -> bool:
        """Whether every row had it."""
        return self.filled == self.rows

    def keys(self) -> dict[str, object]:
        """Return the keys that fit every cell, and note what is in doubt."""
        self.doubts.clear()
        found: dict[str, object] = {"name": self.name}
        found |= self._kind()
        if not self.required:
            found["required"] = False
        if (
            self.required
            and not self.repeats
            and self.rows >= _FROM_ROWS
            and found.get("type", "text") in {"text", "integer"}
        ):
            found["unique"] = True
        few = self.repeats and 0 < len(self.values) <= _MOST_CHOICES and self.filled >= _FROM_ROWS
        if "type" not in found and few and all(len(v) <= 40 for v in self.values):
            found["choices"] = sorted(self.values)
        return found

    def _kind(self) -> dict[str, object]:
        kinds = [k for k in self.kinds or () if k.get("group_mark") is None or k["group_mark"] in self.groups]
        if not self.filled:
            self.doubts.append("no cell of the sample is filled")
        if not kinds:
            return {}
        first = kinds[0]["type"]
        same = [k for k in kinds if k["type"] == first]
        if first in {"date", "decimal"} and len(same) > 1:
            ways = " or ".join(_told(k) for k in same)
            self.doubts.append(f"is it {ways}? Cells such as {self.example!r} fit each")
            return {}
        scale: dict[str, object] = {"scale": self.scale} if first == "decimal" and self.scale > _USUAL_SCALE else {}
        return {k: v for k, v in kinds[0].items() if v is not None and (k, v) not in _USUAL} | scale


def _told(kind: Kind) -> str:
    if kind["type"] == "date":
        return str(kind["date_format"])
    return f"decimal_mark {kind['decimal_mark']!r}" + (
        f" with group_mark {kind['group_mark']!r}" if kind.get("group_mark") else ""
    )


def draft(frames: Iterable[pl.DataFrame]) -> list[Drafted]:
    """Look at all rows of a sample, some at a time, and return what its columns have in common, in their order."""
    found: dict[str, Drafted] = {}
    rows = 0
    for frame in frames:
        rows += frame.height
        for name in (c for c in frame.columns if c not in RESERVED):
            column = found.setdefault(name, Drafted(name=name))
            _take_in(column, frame[name])
    for column in found.values():
        column.rows = rows
    return list(found.values())


def _take_in(column: Drafted, cells: pl.Series) -> None:
    text = cells.to_frame().select(as_plain_text(pl.col(cells.name), cells.dtype).str.strip_chars()).to_series()
    text = text.filter((text != "").fill_null(value=False))
    if not text.len():
        return
    column.filled += text.len()
    column.longest = max(column.longest, int(text.str.len_chars().max() or 0))  # type: ignore[arg-type]
    column.example = column.example or str(text[0])[:60]
    if not column.repeats:
        distinct = set(text.unique())
        column.repeats = len(distinct) < text.len() or bool(distinct & column.values)
        column.values |= distinct
    elif len(column.values) <= _MOST_CHOICES:
        column.values |= set(text.unique().head(_MOST_CHOICES + 1))
    if len(column.values) > (_MOST_CHOICES if column.repeats else _REMEMBERED):
        column.repeats = True  # or not: of so many values that is not remembered
        column.values = set(list(column.values)[: _MOST_CHOICES + 1])
    asked = _CANDIDATES if column.kinds is None else column.kinds
    few = [kind for kind in asked if _fits(kind, text.head(_TRIED_FIRST))]
    column.kinds = [kind for kind in few if _fits(kind, text)]
    column.scale = max(
        column.scale, *(_scale(text, str(k["decimal_mark"])) for k in column.kinds if "decimal_mark" in k), 0
    )
    for kind in column.kinds:
        group = kind.get("group_mark")
        if group is not None and bool(text.str.contains(str(group), literal=True).any()):
            column.groups.add(str(group))


def _fits(kind: Kind, text: pl.Series) -> bool:
    """Whether every text is a value of the kind."""
    if kind["type"] == "boolean":
        return set(text.str.to_lowercase().unique()) <= {"true", "false", "yes", "no"}
    if kind["type"] in {"integer", "decimal"} and bool(text.str.contains(r"^[+-]?0[0-9]").any()):
        return False  # 007 is no number, but a name
    read = read_cells(Column(name="c", scale=18, **kind), pl.String(), trimmed=True)  # type: ignore[arg-type]
    values = text.alias("c").to_frame().select(read).to_series()
    if values.null_count():
        return False
    # Eight digits are an id as often as a day.
    return kind["type"] != "date" or bool(values.dt.year().is_between(1950, 2100).all())


def _scale(text: pl.Series, mark: str) -> int:
    lengths = text.str.extract(rf"{re.escape(mark)}([0-9]+)$", 1).str.len_chars().max()
    return min(int(lengths), 18) if isinstance(lengths, int) else 0
