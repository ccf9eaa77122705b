"""Recognising a format by content: exactly one fits, or it is an error."""

import pytest

from import_project.demo import files
from import_project.errors import ConfigError, NotRecognised
from import_project.formats.registry import FORMATS, detect, format_named


def test_detect() -> None:
    assert detect(files.bgmax()) == "bgmax"
    assert detect(files.orders_csv()) == "delimited"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\x01\x02", b"%PDF-1.7"])
def test_no_format_fits(content: bytes) -> None:
    with pytest.raises(NotRecognised):
        detect(content)


def test_unknown_format() -> None:
    with pytest.raises(ConfigError, match="unknown format 'swift'"):
        format_named("swift")


def test_every_format_module_offers_the_interface() -> None:
    for name in FORMATS:
        module = format_named(name)
        assert callable(module.recognise)
        assert callable(module.read)
    assert sorted(FORMATS) == list(FORMATS)
