"""How much a file may ask of us before it is refused or a record of it is set aside.

They bound memory: what a reader holds at a time is a few blocks, whatever the file's size.
"""

from import_project.errors import NotAllowed

#: Bytes that are read and parted at a time.
BLOCK = 8 << 20
#: The longest record, in bytes; a longer one is set aside, its beginning shown.
LONGEST_RECORD = 16 << 20
SHOWN_OF_LONG = 1_000
MOST_COLUMNS = 10_000
#: Cells that are held at a time; what has many columns is read in batches of fewer rows.
MOST_CELLS = 8_000_000
#: Lines that are parted at a time; each costs as much as a row, even a blank one.
MOST_LINES = 500_000
#: Rows in a batch, where rows are counted and not bytes.
BATCH_ROWS = 100_000
#: Values or elements in one record; each costs up to a hundred times what it is in the file.
MOST_VALUES = 1_000_000
#: Statements in a bank's file: each is held until the end.
MOST_STATEMENTS = 100_000
#: Attributes of an element: it is held whole before anything can be said of it.
MOST_ATTRIBUTES = 100_000
#: How deep values may be nested in a record.
DEEPEST = 64
#: The largest document that must be held whole to be read (spreadsheets, JSON beside its records), unpacked, in bytes.
LARGEST_WHOLE = 512 << 20


def allow_statements(number: int) -> None:
    """Raise NotAllowed for a bank's file of more statements than may be."""
    if number > MOST_STATEMENTS:
        raise NotAllowed(f"the file has more than {MOST_STATEMENTS:,} statements", do="have it sent in parts")
