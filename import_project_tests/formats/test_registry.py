"""Recognising a format by content: exactly one fits, or it is an error."""

import pytest

from import_project.demo import files
from import_project.errors import ConfigError, NotRecognised
from import_project.formats.registry import BANK_FORMATS, FORMATS, ROW_FORMATS, bank_format, detect, row_format


def test_detect() -> None:
    assert detect(files.bgmax()) == "bgmax"
    assert detect(files.orders_csv()) == "delimited"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\x01\x02", b"%PDF-1.7"])
def test_no_format_fits(content: bytes) -> None:
    with pytest.raises(NotRecognised):
        detect(content)


def test_unknown_format() -> None:
    with pytest.raises(ConfigError, match="unknown format 'swift'"):
        row_format("swift")


def test_every_format_module_offers_the_interface() -> None:
    assert set(FORMATS) == {*BANK_FORMATS, *ROW_FORMATS}
    for name in BANK_FORMATS:
        assert callable(bank_format(name).recognise)
        assert callable(bank_format(name).pieces)
    for name in ROW_FORMATS:
        assert callable(row_format(name).recognise)
        assert callable(row_format(name).parts)
