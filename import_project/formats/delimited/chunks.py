"""Delimited text cut into pieces that end where a record ends, and what is known of each. Cells are not parted."""

from collections.abc import Iterator
from dataclasses import dataclass

from import_project.formats.bytes_index import CR, LF, byte_column
from import_project.formats.caps import BLOCK, LONGEST_RECORD, MOST_CELLS, MOST_LINES, SHOWN_OF_LONG
from import_project.formats.delimited.strict import Record, Torn, strict_records, torn_lines
from import_project.formats.delimited.structure import Dialect, Structure

_STRICT_AT_ONCE, _TORN_AT_ONCE = 1 << 20, 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Whole records of a file, behind `blanks` blank lines. `last`: nothing follows.

    `structure` says where its records and fields end. Where quotes are torn there is none, and the text is read
    already, strictly, into `records`.
    """

    text: bytes
    structure: Structure | None = None
    records: tuple[Record, ...] = ()
    blanks: int = 0
    last: bool = False


def chunks(blocks: Iterator[bytes], dialect: Dialect, *, size: int = BLOCK) -> Iterator[Chunk]:
    """Cut blocks of UTF-8 text into chunks of about `size` bytes, and never of more than MOST_CELLS cells."""
    return _Cutter(blocks, dialect, size).chunks()


class _Cutter:
    """The text that is not cut yet: `pending`, of which nothing follows once it has `ended`, and which begins with the
    lines of a `torn` record, if there is one."""

    def __init__(self, blocks: Iterator[bytes], dialect: Dialect, size: int) -> None:
        self._blocks, self._dialect, self._size = blocks, dialect, size
        self._quote = dialect.quote.encode()
        self._most_lines = max(min(MOST_CELLS // len(dialect.columns), MOST_LINES), 1)
        self._pending, self._ended, self._torn = b"", False, Torn(size=0, told="")

    def chunks(self) -> Iterator[Chunk]:
        blanks = 0
        while True:
            self._fill(self._size)
            blanks += 0 if self._torn.size else self._drop_blank_lines()
            if not self._pending:
                if self._ended:
                    return
                continue
            text, structure, records = self._next()
            self._fill(1)  # whether anything follows: blank rows at the end are none between others
            yield Chunk(
                text=text,
                structure=structure,
                records=tuple(records),
                blanks=blanks,
                last=self._ended and not self._pending.strip(),
            )
            blanks = 0

    def _fill(self, size: int) -> None:
        while not self._ended and len(self._pending) < size:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                self._pending += block

    def _drop_blank_lines(self) -> int:
        """Leave out line ends before the next record; they count. Kept, millions of them would be millions of rows."""
        kept = self._pending.lstrip(b"\r\n")
        dropped = self._pending[: len(self._pending) - len(kept)]
        if dropped.endswith(b"\r") and not kept and not self._ended:
            dropped, kept = dropped[:-1], b"\r"  # its line feed may come with the next block
        self._pending = kept
        return len(dropped.replace(b"\r\n", b"\n"))

    def _next(self) -> tuple[bytes, Structure | None, list[Record]]:
        """Take whole records off what is pending: as many as are sound, else some that are read strictly."""
        if self._torn.size:
            return self._set_aside()
        while True:
            for size in (LONGEST_RECORD + 1, _STRICT_AT_ONCE):
                piece = self._few_lines(self._pending[:size])
                for end in self._ends_of_records(piece):
                    text = self._line_feeds(piece[:end])
                    if end and (structure := Structure(text, self._dialect)).sound:
                        self._pending = self._pending[end:]
                        return text, structure, []
            if self._quote in self._pending[:LONGEST_RECORD]:
                return self._next_strictly()
            if self._ended or len(self._pending) > LONGEST_RECORD:
                return b"", None, [self._too_long()]
            self._fill(2 * len(self._pending))

    def _few_lines(self, piece: bytes) -> bytes:
        """Cut what would be more lines than may be held; blank ones cost as much as any."""
        while len(piece) > self._most_lines:
            column = byte_column(piece)
            if int((column == LF).sum()) + int((column == CR).sum()) <= 2 * self._most_lines:
                break
            piece = piece[: len(piece) // 2]
        return piece

    def _ends_of_records(self, piece: bytes) -> Iterator[int]:
        """Yield where the last whole record of a piece may end; 0 where none is whole.

        The last line end is tried first. It stands inside of quotes only if the text before it is not sound.
        """
        if self._ended and len(piece) == len(self._pending):
            yield len(piece)
            return
        end = piece.rfind(b"\n") + 1
        if self._quote not in piece:
            yield end or (piece.rfind(b"\r", 0, len(piece) - 1) + 1)
            return
        yield end
        earlier = Structure(piece, self._dialect).end_of_records()
        if earlier != end:
            yield earlier

    def _line_feeds(self, text: bytes) -> bytes:
        """Let line feeds end all records, where no quote could hold a carriage return."""
        if b"\r" not in text or self._quote in text:
            return text
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _next_strictly(self) -> tuple[bytes, Structure | None, list[Record]]:
        for size in (_STRICT_AT_ONCE, LONGEST_RECORD):
            self._fill(size + 1)
            piece = self._pending[:size]
            final = self._ended and len(self._pending) <= size
            records, end = self._strictly(piece, final=final)
            if end:
                return self._take(end), None, records
            if self._torn.size:
                return self._set_aside()
        # The quote that opens the record is closed nowhere near: its lines are set aside one by one.
        end = piece.rfind(b"\n") + 1
        if not end:
            return b"", None, [self._too_long()]
        records, end = self._strictly(piece[:end], final=True)
        return (self._take(end), None, records) if end else self._set_aside()

    def _strictly(self, piece: bytes, *, final: bool) -> tuple[list[Record], int]:
        """Read records one by one, up to one that is torn and large."""
        delimiter, quote = self._dialect.delimiter, self._dialect.quote
        records, end, torn = strict_records(piece, delimiter, quote, final=final, most_torn=_TORN_AT_ONCE)
        self._torn = torn or self._torn
        return records, end

    def _set_aside(self) -> tuple[bytes, Structure | None, list[Record]]:
        """Take some lines of a torn record off what is pending."""
        size, told = self._torn.size, self._torn.told
        end = self._pending.find(b"\n", min(size, _TORN_AT_ONCE) - 1, size) + 1 or size
        self._torn = Torn(size=size - end, told=told)
        taken = self._take(end)
        return taken, None, torn_lines(taken.decode(errors="ignore"), told)

    def _take(self, end: int) -> bytes:
        taken, self._pending = self._pending[:end], self._pending[end:]
        return taken

    def _too_long(self) -> Record:
        """Let a record without an end in sight pass by, and keep its beginning."""
        start, size = self._pending[:SHOWN_OF_LONG], 0
        while True:
            ends = [e for e in (self._pending.find(b"\n"), self._pending.find(b"\r")) if e >= 0]
            if ends or self._ended:
                size += len(self._take(min(ends) if ends else len(self._pending)))
                break
            size += len(self._pending)
            self._pending = b""
            self._fill(1)
        self._pending = self._pending.removeprefix(b"\r").removeprefix(b"\n")
        return Record(
            text=start.decode(errors="ignore"),
            rule="long_record",
            message=f"the record is {size:,} bytes long, more than {LONGEST_RECORD:,}; only its beginning is kept",
        )
