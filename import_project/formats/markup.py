"""XML made safe to read: a document type is refused before anything in it is looked at. No format's own elements."""

from typing import BinaryIO, NoReturn
from xml.parsers import expat

from import_project.errors import NotAllowed, Unreadable
from import_project.formats.caps import MOST_ATTRIBUTES

_BLOCK = 1 << 14
_LONGEST_PROLOG = 1 << 20


def refuse_doctype(content: BinaryIO) -> None:
    """Read up to the first element, then go back to the start.

    Raises NotAllowed where a document type is declared: only there can entities be defined and files be named. Raises
    Unreadable when what comes before the first element is no XML, or goes on too long.
    """
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    begun = False

    def refuse(*_declared: object) -> NoReturn:
        raise NotAllowed("the XML declares a document type", do="have it sent without <!DOCTYPE>")

    def begin(_name: str, _attributes: object) -> NoReturn:
        nonlocal begun
        begun = True
        raise _Begun

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    read = 0
    try:
        while block := content.read(_BLOCK):
            read += len(block)
            parser.Parse(block, False)  # noqa: FBT003 - expat takes it by place only
            if read > _LONGEST_PROLOG:
                raise Unreadable(f"the XML has no element in its first {_LONGEST_PROLOG:,} bytes")
        raise Unreadable("the XML has no element")
    except _Begun:
        pass
    except expat.ExpatError as error:
        raise Unreadable(f"the content is no XML: {error}") from None
    except (LookupError, ValueError) as error:
        raise Unreadable(f"the XML's encoding is not known: {error}") from None
    finally:
        content.seek(0)


class _Begun(Exception):
    """The first element is reached."""


class Tags:
    """XML on its way to a parser, which would hold a tag whole, however many attributes it has. Raises NotAllowed for
    one of more than MOST_ATTRIBUTES: no tag has another's sign in it, and each attribute has one of equality."""

    def __init__(self, content: BinaryIO) -> None:
        self._content, self._attributes = content, 0

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        block = self._content.read(size)
        ends = block.find(b"<")
        self._attributes += block.count(b"=", 0, ends if ends >= 0 else len(block))
        if self._attributes > MOST_ATTRIBUTES:
            raise NotAllowed(f"an element of the XML has more than {MOST_ATTRIBUTES:,} attributes")
        if ends >= 0:
            self._attributes = block.count(b"=", block.rfind(b"<"))
        return block
