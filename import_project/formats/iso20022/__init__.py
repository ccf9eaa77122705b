"""ISO 20022 messages, by local element names, in any version and namespace: camt.052, camt.053, camt.054, pain.002.

`documents` cuts a file into XML documents, `messages` says which message one is, `elements` walks. An entry has a shape
(`shapes`), of which `plans` says what stands where; `entries` and `values` read it, `statements` proves the totals.
What comes often is taken out by its form before the parser (`forms`, `thinned`, `units`). `status_reports` reads
pain.002, `read` puts it together.
"""

from import_project.formats.iso20022.messages import recognise
from import_project.formats.iso20022.read import pieces

__all__ = ["pieces", "recognise"]
