"""How a feed's bytes are read: the options of each format, as models. What they mean in a file is `formats`'
business."""

import codecs
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from import_project.config.python_objects import Reference
from import_project.config.values import Strict

Sign = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]$")]


def _codec(name: str) -> str:
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError, UnicodeError):
        raise ValueError(f"{name!r} is no encoding that Python knows") from None
    return name


Encoding = Annotated[str, AfterValidator(_codec)]
Lines = Annotated[int, Field(ge=0, le=1000)]


class _Format(Strict):
    """What all formats share: their kind, which names the format's module."""

    kind: str

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given, for the format's module."""
        return self.model_dump(exclude={"kind", "parser"}, exclude_none=True)


class BgMax(_Format):
    """Incoming bankgiro payments. `accept_test` takes files that are marked as test."""

    kind: Literal["bgmax"]
    accept_test: bool | None = None


class Sepa(_Format):
    """ISO 20022 messages from a bank: whichever it is, or the one that `message` names."""

    kind: Literal["sepa"]
    message: Literal["camt.052", "camt.053", "camt.054", "pain.002"] | None = None


class Mt940(_Format):
    """MT940 statements and MT942 interim reports, in any bank's dialect."""

    kind: Literal["mt940"]


class Bai2(_Format):
    """BAI2 cash management reports."""

    kind: Literal["bai2"]


class OcrGiro(_Format):
    """Norwegian OCR giro: payments with their KID."""

    kind: Literal["ocr_giro"]


class FinnishReferences(_Format):
    """Finnish reference payments (KTL), 90 characters a record."""

    kind: Literal["finnish_references"]


class Delimited(_Format):
    """Delimited text (CSV, TSV). `columns` names those of a file without a header, `skip_lines` stand before it."""

    kind: Literal["delimited"]
    delimiter: Sign | None = None
    encoding: Encoding | None = None
    quote: Sign | None = None
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    skip_lines: Lines | None = None

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.delimiter is not None and self.delimiter == (self.quote or '"'):
            raise ValueError("delimiter and quote cannot be the same")
        return self


class Json(_Format):
    """A JSON document: a list, or an object; `records` is the path to the list in it."""

    kind: Literal["json"]
    encoding: Encoding | None = None
    records: str | None = Field(default=None, min_length=1)


class JsonLines(_Format):
    """JSON lines: one object a line."""

    kind: Literal["jsonl"]
    encoding: Encoding | None = None


class Excel(_Format):
    """A workbook: the sheet by name or place (from 1), and the row its header stands in."""

    kind: Literal["excel"]
    sheet: int | str | None = None
    header_row: int | None = Field(default=None, ge=1, le=10_000)


class Parquet(_Format):
    """A Parquet file."""

    kind: Literal["parquet"]


class Avro(_Format):
    """An Avro container file."""

    kind: Literal["avro"]


class Orc(_Format):
    """An ORC file."""

    kind: Literal["orc"]


class Xml(_Format):
    """An XML file; `record` is the path of the elements that are rows, such as `orders/order`."""

    kind: Literal["xml"]
    record: str = Field(min_length=1)


class Place(Strict):
    """One field of a line: `start` counts from 1, `width` is in characters."""

    name: str
    start: int = Field(ge=1, le=100_000)
    width: int = Field(ge=1, le=100_000)


class FixedWidth(_Format):
    """Lines whose fields stand at fixed places. With `pad`, what a line lacks is blank."""

    kind: Literal["fixed_width"]
    fields: tuple[Place, ...] = Field(min_length=1)
    encoding: Encoding | None = None
    skip_lines: Lines | None = None
    pad: bool | None = None

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [f.name for f in self.fields]
        if twice := {n for n in names if names.count(n) > 1}:
            raise ValueError(f"field {', '.join(sorted(twice))} is given twice")
        return self


class Python(_Format):
    """A parser of your own: a class or object with `parse(content)`, which yields dicts."""

    kind: Literal["python"]
    parser: Reference


_Formats = Annotated[
    BgMax
    | Sepa
    | Mt940
    | Bai2
    | OcrGiro
    | FinnishReferences
    | Delimited
    | Json
    | JsonLines
    | Excel
    | Parquet
    | Avro
    | Orc
    | Xml
    | FixedWidth
    | Python,
    Field(discriminator="kind"),
]

Format = Annotated[_Formats, BeforeValidator(lambda v: {"kind": v} if isinstance(v, str) else v)]
