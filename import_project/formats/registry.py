"""Which formats there are, what they hold, and which one a content is. A format's module is loaded when it is asked
for."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, BinaryIO, Protocol, cast

from import_project.errors import ConfigError, NotRecognised
from import_project.formats.trial import try_out
from import_project.frames import Batch, Part, Piece, Reading, gathered, whole

#: Formats of payments, by the modules that hold them.
BANK_FORMATS: Mapping[str, str] = {
    "bgmax": "import_project.formats.bgmax",
    "sepa": "import_project.formats.iso20022",
    "mt940": "import_project.formats.mt940",
    "bai2": "import_project.formats.bai2",
    "ocr_giro": "import_project.formats.ocr_giro",
    "finnish_references": "import_project.formats.finnish_references",
}

#: Formats of rows.
ROW_FORMATS: Mapping[str, str] = {
    "delimited": "import_project.formats.delimited",
    "json": "import_project.formats.json.document",
    "jsonl": "import_project.formats.json.lines",
    "excel": "import_project.formats.excel",
    "parquet": "import_project.formats.parquet",
    "avro": "import_project.formats.avro",
    "orc": "import_project.formats.orc",
    "xml": "import_project.formats.xml",
    "fixed_width": "import_project.formats.fixed_width",
    "python": "import_project.formats.python",
}

#: How files of a format are usually called; others call them as their feed's pattern does.
SUFFIXES: Mapping[str, frozenset[str]] = {
    "delimited": frozenset({".csv", ".tsv", ".txt"}),
    "json": frozenset({".json"}),
    "jsonl": frozenset({".jsonl", ".ndjson"}),
    "excel": frozenset({".xlsx"}),
    "parquet": frozenset({".parquet"}),
    "avro": frozenset({".avro"}),
    "orc": frozenset({".orc"}),
    "xml": frozenset({".xml"}),
    "sepa": frozenset({".xml"}),
    "fixed_width": frozenset({".txt", ".dat"}),
    "bgmax": frozenset({".txt"}),
    "mt940": frozenset({".sta", ".txt", ".mt940"}),
    "bai2": frozenset({".bai", ".bai2", ".txt"}),
    "ocr_giro": frozenset({".txt"}),
    "finnish_references": frozenset({".txt"}),
}

FORMATS: Mapping[str, str] = {**BANK_FORMATS, **ROW_FORMATS}


class BankFormat(Protocol):
    """What the module of a bank format offers. `pieces` reads an open file with the format's options."""

    recognise: Callable[..., bool]
    pieces: Callable[..., Iterator[Piece]]


class RowFormat(Protocol):
    """What the module of a row format offers. `parts` reads an open file, piece by piece, with the format's options."""

    recognise: Callable[..., bool]
    parts: Callable[..., Iterator[Part]]


def _module(name: str) -> Any:
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}", do=f"one of {', '.join(FORMATS)}")
    return import_module(FORMATS[name])


def bank_format(name: str) -> BankFormat:
    """Return the bank format called `name`. Raises ConfigError when there is none."""
    return cast("BankFormat", _module(name))


def row_format(name: str) -> RowFormat:
    """Return the row format called `name`. Raises ConfigError when there is none."""
    return cast("RowFormat", _module(name))


def recognises(name: str, content: bytes, options: Mapping[str, Any]) -> bool:
    """Whether `content`, the beginning of a file, may be read as the format that a feed names, with these options."""
    named = {"named": True} if name in ROW_FORMATS else {}
    return bool(_module(name).recognise(content, **options, **named))


def batches(name: str, content: BinaryIO, options: Mapping[str, Any]) -> Iterator[Batch]:
    """Read a row file piece by piece, in this thread. Pieces count their rows from 1."""
    return (part() for part in row_format(name).parts(content, **options))


def read_whole(name: str, content: BinaryIO, options: Mapping[str, Any]) -> Reading:
    """Read a whole file into memory, whatever it holds; one that ends its reader ends only a trial before."""
    try_out(name, content, options)
    if name in ROW_FORMATS:
        return gathered(name, batches(name, content, options))
    return whole(bank_format(name).pieces(content, **options))


def detect(content: bytes) -> str:
    """Return the name of the one format that `content` fits. Raises NotRecognised when none or two do.

    Bank formats are known by agreed marks, and asked first: their text may look delimited, or like any XML.
    """
    for formats in (BANK_FORMATS, ROW_FORMATS):
        fits = [name for name in formats if _module(name).recognise(content)]
        if len(fits) > 1:
            raise NotRecognised(f"the content fits {' and '.join(fits)}", do="name the format")
        if fits:
            return fits[0]
    if not content.strip():
        raise NotRecognised("the file is empty")
    raise NotRecognised(f"the content fits none of {', '.join(FORMATS)}", do="name the format to see what is wrong")
