"""BAI2 cash management reports. `records` cuts a text into logical records, `fields` reads amounts and transactions,
`levels` proves the trailers 49, 98 and 99, `read` makes payments and statements.

Source: BAI, "Cash management balance reporting specifications, version 2".
"""

from import_project.formats.bai2.read import pieces
from import_project.formats.bai2.records import recognise

__all__ = ["pieces", "recognise"]
