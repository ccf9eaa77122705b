"""Where records and fields end in a piece of delimited text, found for all of it at once. Cells are not read.

A quote is sound when it opens a field behind a delimiter or line end, closes one before the next, or stands doubled
between the two (RFC 4180, section 2, rules 5 to 7). Where all are, every other byte is inside or outside of quotes by
the number of quotes before it.
"""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from import_project.formats.bytes_index import CR, DEL, LF, SPACE, TAB, byte_column

_MOST_LINES_LOOKED_AT = 10_000


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a file parts its records: column names, one-character delimiter and quote."""

    columns: tuple[str, ...]
    delimiter: str
    quote: str

    @property
    def width(self) -> int:
        """How many fields a record has."""
        return len(self.columns)

    @property
    def nothing(self) -> str:
        """The signs that a record without any text may hold."""
        return f"{self.delimiter}{self.quote} \t\r\n"


#: Up to so many quoted fields in a text are cut out one by one; more are counted in by the places of all signs.
_FEW_FIELDS = 100_000


class Structure:
    """A text's quotes, and which of its line ends and delimiters part records and fields: those outside of quotes."""

    def __init__(self, text: bytes, dialect: Dialect) -> None:
        self._text, self._column = text, byte_column(text)
        self._quote, self._delimiter = ord(dialect.quote), ord(dialect.delimiter)
        self.quoted = dialect.quote.encode() in text
        self._found: dict[int, pl.Series] = {}

    def _marks(self, sign: int) -> pl.Series:
        """Whether each byte is the sign; each is looked for once, and a mark is a bit."""
        if sign not in self._found:
            self._found[sign] = self._column == sign
        return self._found[sign]

    def _places(self, sign: int) -> pl.Series:
        return self._marks(sign).arg_true().cast(pl.Int64)

    def _count(self, sign: int) -> int:
        return int(self._marks(sign).sum())

    @cached_property
    def _quotes(self) -> pl.Series:
        return self._places(self._quote)

    @cached_property
    def _openings(self) -> pl.Series:
        return self._quotes.gather_every(2)

    @cached_property
    def _closings(self) -> pl.Series:
        return self._quotes.gather_every(2, offset=1)

    @cached_property
    def _doubled(self) -> pl.Series:
        """Whether the next quote follows a closing one at once: together they stand for a quote in the cell."""
        return self._closings + 1 == self._openings.slice(1).extend_constant(-1, 1).head(self._closings.len())

    def _outside(self, places: pl.Series) -> pl.Series:
        return places.filter(self._quotes.search_sorted(places) % 2 == 0) if self.quoted else places

    def end_of_records(self) -> int:
        """Return where the last whole record ends, if all quotes are sound; 0 when none does."""
        end = len(self._text)
        for _ in range(_MOST_LINES_LOOKED_AT):
            end = self._text.rfind(b"\n", 0, end)
            if end < 0 or self._quotes.search_sorted(end) % 2 == 0:
                return end + 1
        return 0

    @property
    def sound(self) -> bool:
        """Whether every quote is sound, and every carriage return outside of them belongs to a line end."""
        if CR in self._text:
            places = self._outside(self._places(CR))
            after = self._column.gather((places + 1).clip(0, len(self._text) - 1))
            if not ((after == LF) & (places + 1 < len(self._text))).all():
                return False
        if not self.quoted:
            return True
        if self._quotes.len() % 2:
            return False
        before = self._column.gather((self._openings - 1).clip(0))
        after = self._column.gather((self._closings + 1).clip(0, len(self._text) - 1))
        opens = self._is_edge(before) | (self._openings == 0) | self._doubled.shift(1, fill_value=False)
        closes = self._is_edge(after) | (self._closings == len(self._text) - 1) | self._doubled
        return bool(opens.all() and closes.all())

    def _is_edge(self, signs: pl.Series) -> pl.Series:
        edges = (signs == self._delimiter) | (signs == LF)
        return edges | (signs == CR) if CR in self._text else edges

    @cached_property
    def _inside(self) -> tuple[int, int]:
        """How many delimiters and line feeds stand inside of quotes."""
        if self._openings.len() <= _FEW_FIELDS:
            pairs = zip(self._openings, self._closings, strict=True)
            fields = b"".join(self._text[opening:closing] for opening, closing in pairs)
            return fields.count(self._delimiter), fields.count(LF)
        counts = []
        for sign in (self._delimiter, LF):
            places = self._places(sign)
            upto = places.search_sorted(self._closings) - places.search_sorted(self._openings)
            counts.append(int(upto.sum()))
        return counts[0], counts[1]

    @property
    def quoted_nothing(self) -> bool:
        """Whether a cell is written as two quotes with nothing between them."""
        return self.quoted and bool((self._closings == self._openings.head(self._closings.len()) + 1).any())

    @property
    def delimiters(self) -> int:
        """How many delimiters part fields."""
        return self._count(self._delimiter) - (self._inside[0] if self.quoted else 0)

    @cached_property
    def records(self) -> int:
        """How many records the text holds; a blank line is one."""
        ends = self._count(LF) - (self._inside[1] if self.quoted else 0)
        return ends if self._text.endswith(b"\n") else ends + 1

    @property
    def controls(self) -> bool:
        """Whether there are control characters beside tab and line ends."""
        usual = sum(self._count(sign) for sign in (LF, CR, TAB) if sign in self._text)
        return int((self._column < SPACE).sum()) != usual or DEL in self._text

    @property
    def trimmed(self) -> bool:
        """Whether no cell of an ASCII text without control characters begins or ends with a blank, for certain."""
        if TAB in self._text or (self.quoted and self._inside[1]):
            return False
        edge = self._marks(self._delimiter) | self._marks(LF)
        edge = edge | self._marks(CR) if CR in self._text else edge
        blank = self._marks(SPACE)
        beside = blank & (edge.shift(1, fill_value=True) | edge.shift(-1, fill_value=True))
        if not beside.any() and not self.quoted:
            return True
        if not self.quoted or self._outside(beside.arg_true().cast(pl.Int64)).len():
            return False
        first = self._column.gather(self._openings.filter(~self._doubled.shift(1, fill_value=False)) + 1)
        final = self._column.gather(self._closings.filter(~self._doubled) - 1)
        return not ((first == SPACE).any() or (final == SPACE).any())

    def spans(self) -> pl.DataFrame:
        """Return `start`, `end` (of its text, without the line end) and `fields` of each record."""
        ends = self._outside(self._places(LF))
        if not self._text.endswith(b"\n"):
            ends = ends.extend_constant(len(self._text), 1)
        passed = self._outside(self._places(self._delimiter)).search_sorted(ends).cast(pl.Int64)
        before = passed.shift(1, fill_value=0)
        return pl.DataFrame({"start": (ends + 1).shift(1, fill_value=0), "end": ends, "fields": passed - before + 1})
