"""BgMax: incoming Swedish bankgiro payments, 80 characters a record. `layout` says where fields stand, `blocks` cuts
the file, `payments` builds the frame, `totals` proves the control totals, `repeats` finds what stands in it twice.

Source: Bankgirot, "Bankgiro Inbetalningar, technical manual" (2015 and 2019); check numbers C1 to C10 are ours.
"""

from import_project.formats.bgmax.layout import recognise
from import_project.formats.bgmax.read import pieces

__all__ = ["pieces", "recognise"]
