"""MT940 statements and MT942 interim reports. `fields` cuts messages into fields, `lines` reads `:61:`, `details` reads
`:86:` in the banks' dialects, `payments` puts both together, `read` proves balances and sums.

Source: SWIFT user handbook, categories 940 and 942; what banks really send differs, and is read where it is plain.
"""

from import_project.formats.mt940.fields import recognise
from import_project.formats.mt940.read import pieces

__all__ = ["pieces", "recognise"]
