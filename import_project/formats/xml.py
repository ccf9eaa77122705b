"""XML files of records: each element at a path is a row. Namespaces are left out of names. Bank messages are not read
here."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import Unreadable
from import_project.formats.caps import DEEPEST
from import_project.formats.loose import Loose, loose_parts
from import_project.formats.markup import refuse_doctype
from import_project.frames import Part


def recognise(content: bytes, *, record: str | None = None, **_options: Any) -> bool:
    """Whether the content is XML, where the path to the records is declared; without it, no XML is taken for rows."""
    start = content[:1024].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    return record is not None and start.startswith(b"<")


def parts(content: BinaryIO, *, record: str | None = None) -> Iterator[Part]:
    """Read a row for each element at the path `record`, such as `orders/order`; without it, for each child of the
    root.

    Attributes are columns `@name`, text of the record itself is `text`, nested elements are `outer.inner`, repeated
    ones a list in JSON. Raises Unreadable where the document breaks off or is malformed, and NotAllowed for a
    document type.
    """
    refuse_doctype(content)
    return loose_parts(_records(content, record.strip("/").split("/") if record else ["*", "*"]))


def _records(content: BinaryIO, path: list[str]) -> Iterator[Loose]:
    from lxml import etree

    here: list[str] = []
    try:
        # Nothing outside the file is fetched, no entity is put in, and libxml2's own limits on depth and size hold.
        events = etree.iterparse(
            content,
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        for event, element in events:
            if event == "start":
                here.append(local_name(element.tag))
                continue
            if len(here) == len(path) and all(step in {"*", name} for step, name in zip(path, here, strict=True)):
                text = etree.tostring(element, encoding="unicode", with_tail=False)
                yield Loose(fields=_fields(element, 1), text=text)
            if len(here) <= len(path):
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
            here.pop()
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"the XML cannot be read: {error.msg}") from None


def local_name(tag: object) -> str:
    """Return an element's name without its namespace."""
    return str(tag).rpartition("}")[2]


def _fields(element: Any, depth: int) -> dict[str, Any]:
    fields: dict[str, Any] = {f"@{local_name(name)}": value for name, value in element.attrib.items()}
    own = (element.text or "").strip()
    if own:
        fields["text"] = own
    for child in element:
        name = local_name(child.tag)
        value = _value(child, depth)
        if name in fields:
            before = fields[name]
            fields[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            fields[name] = value
    return fields


def _value(child: Any, depth: int) -> Any:
    if len(child) or child.attrib:
        return _fields(child, depth + 1) if depth < DEEPEST else {}
    return (child.text or "").strip() or None
