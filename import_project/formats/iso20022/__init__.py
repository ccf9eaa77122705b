"""ISO 20022 messages, by local element names, in any version and namespace: camt.052, camt.053, camt.054, pain.002.

`documents` cuts a file into XML documents, `messages` says which message one is, `elements` walks, `entries` makes
payments, `statements` proves the totals, `status_reports` reads pain.002, `read` puts it together.
"""

from import_project.formats.iso20022.messages import recognise
from import_project.formats.iso20022.read import pieces

__all__ = ["pieces", "recognise"]
