"""A schema drafted from rows of a sample: what all filled cells of a column have in common. Where two readings fit,
text is kept and the doubt is told: a draft may ask, never guess."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from import_project.frames import RESERVED
from import_project.validation.cells import as_plain_text

_DATES = ("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y", "%y%m%d")
_TIMES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f")
_DECIMALS = ((".", None), (",", None), (",", "."), (".", ","), (",", " "), (".", "'"), (".", " "))
_MOST_CHOICES, _FROM_ROWS = 12, 20
_REMEMBERED = 5_000


@dataclass(kw_only=True)
class Drafted:
    """What is known of one column so far. `keys` are those of a schema's column, `doubts` what a person must decide."""

    name: str
    filled: int = 0
    rows: int = 0
    longest: int = 0
    kinds: list[dict[str, object]] | None = None
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
        kinds = [k for k in self.kinds or [] if not k.get("any")]
        if not self.filled:
            self.doubts.append("no cell of the sample is filled")
            return {}
        if not kinds:
            return {}
        first = kinds[0]
        same = [k for k in kinds if k["type"] == first["type"]]
        readings = {str(k.get("date_format") or (k.get("decimal_mark"), k.get("group_mark"))) for k in same}
        if first["type"] in {"date", "decimal"} and len(readings) > 1:
            ways = " or ".join(_told(k) for k in same)
            self.doubts.append(f"is it {ways}? Cells such as {self.example!r} fit each")
            return {}
        if first["type"] == "decimal":
            return {k: v for k, v in first.items() if k != "any" and v is not None and (k, v) != ("decimal_mark", ".")}
        return {
            k: v
            for k, v in first.items()
            if k != "any" and (k, v) not in {("date_format", "%Y-%m-%d"), ("datetime_format", _TIMES[0])}
        }


def _told(kind: dict[str, object]) -> str:
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
    if len(column.values) > _REMEMBERED and column.repeats:
        column.values = set(list(column.values)[: _MOST_CHOICES + 1])
    before = column.kinds
    fits = list(_kinds(text))
    if before is None:
        column.kinds = fits
        return
    kept = []
    for kind in before:
        same = next((k for k in fits if _reading(k) == _reading(kind)), None)
        if same is not None:
            kept.append(
                kind | ({"scale": max(int(str(kind["scale"])), int(str(same["scale"])))} if "scale" in kind else {})
            )
    column.kinds = kept


def _reading(kind: dict[str, object]) -> tuple[object, ...]:
    return tuple(kind.get(k) for k in ("type", "date_format", "datetime_format", "decimal_mark", "group_mark"))


def _kinds(text: pl.Series) -> Iterator[dict[str, object]]:
    """Yield the types that every text is a value of, the narrowest first."""
    from import_project.validation.cells import read_cells
    from import_project.validation.columns import Column

    frame = text.alias("c").to_frame()

    def fits(column: Column) -> bool:
        return not frame.select(read_cells(column, pl.String(), trimmed=True)).to_series().null_count()

    zeros = bool(text.str.contains(r"^[+-]?0[0-9]").any())
    words = set(text.str.to_lowercase().unique().head(5))
    if words <= {"true", "false", "yes", "no"}:
        yield {"type": "boolean"}
    for written in _DATES:
        if fits(Column(name="c", type="date", date_format=written)) and not _odd_years(text, written):
            yield {"type": "date", "date_format": written}
    for written in _TIMES:
        if fits(Column(name="c", type="datetime", datetime_format=written)):
            yield {"type": "datetime", "datetime_format": written}
    if not zeros and fits(Column(name="c", type="integer")):
        yield {"type": "integer"}
    elif not zeros:
        for mark, group in _DECIMALS:
            used = group is None or bool(text.str.contains(group, literal=True).any())
            scale = _scale(text, mark)
            if (
                scale
                and used
                and fits(Column(name="c", type="decimal", scale=scale, decimal_mark=mark, group_mark=group))
            ):
                yield {"type": "decimal", "scale": scale, "decimal_mark": mark, "group_mark": group}


def _scale(text: pl.Series, mark: str) -> int:
    lengths = text.str.extract(rf"{re.escape(mark)}([0-9]+)$", 1).str.len_chars().max()
    return min(int(lengths), 18) if isinstance(lengths, int) else 0


def _odd_years(text: pl.Series, written: str) -> bool:
    """Whether digits alone would be read as days of no likely year: eight digits are an id as often as a date."""
    if "%y" in written and "." not in written:
        return True
    if "%Y" not in written:
        return False
    years = text.str.to_date(written, strict=False).dt.year()
    return not bool(years.is_between(1950, 2100).all())
