"""Delimited text (CSV, TSV): every cell as text, every broken record kept with its number. Cells are not interpreted.

The rules are RFC 4180's, with any one-character delimiter. A record's number counts from 1 after the header; blank
lines are counted but are no rows. An empty cell is null.
"""

from import_project.formats.delimited.header import guess_delimiter, recognise
from import_project.formats.delimited.read import parts

__all__ = ["guess_delimiter", "parts", "recognise"]
