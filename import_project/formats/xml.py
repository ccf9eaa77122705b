"""XML files of records: each element at a path is a row. Namespaces are left out of names. Bank messages are not read
here."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from import_project.errors import Unreadable
from import_project.formats.caps import DEEPEST, MOST_COLUMNS, MOST_VALUES
from import_project.formats.json.scan import NotJson
from import_project.formats.loose import Loose, loose_parts
from import_project.formats.markup import Tags, refuse_doctype
from import_project.frames import Part

_ANY = ["*", "*"]


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
    return loose_parts(_records(content, record.strip("/").split("/") if record else _ANY))


def _records(content: BinaryIO, path: list[str]) -> Iterator[Loose]:
    from lxml import etree

    here: list[str] = []
    found, record, elements = False, 0, 0
    try:
        # Nothing outside the file is fetched, no entity is put in, and libxml2's own limits on depth and size hold.
        events = etree.iterparse(
            Tags(content),
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
                if not record and _at(path, here):
                    record, elements = len(here), 0
                elements += 1
                if record and elements > MOST_VALUES:
                    raise Unreadable(f"a record has more than {MOST_VALUES:,} elements", do="look at format.record")
                continue
            if len(here) == record:
                found = True
                yield _record(element, etree.tostring(element, encoding="unicode", with_tail=False))
                record = 0
            if not record:
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
            here.pop()
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"the XML cannot be read: {error.msg}") from None
    if not found and path != _ANY:
        raise Unreadable(f"the document has no element at {'/'.join(path)}", do="look at format.record")


def _at(path: list[str], here: list[str]) -> bool:
    return len(here) == len(path) and all(step in {"*", name} for step, name in zip(path, here, strict=True))


def _record(element: Any, text: str) -> Loose:
    try:
        return Loose(fields=_fields(element, 1), text=text)
    except NotJson as error:
        return Loose(text=text, rule="unreadable_record", message=str(error))


def local_name(tag: object) -> str:
    """Return an element's name without its namespace."""
    return str(tag).rpartition("}")[2]


def _fields(element: Any, depth: int) -> dict[str, Any]:
    """Raises NotJson where two attributes have one name, or text stands between elements: neither has a column."""
    if depth > DEEPEST:
        raise NotJson(f"elements are nested more than {DEEPEST} deep")
    if len(element.attrib) > MOST_COLUMNS:  # lxml looks for each from the first on
        raise NotJson(f"an element has more than {MOST_COLUMNS:,} attributes")
    fields: dict[str, Any] = {f"@{local_name(name)}": value for name, value in element.attrib.items()}
    if len(fields) != len(element.attrib):
        raise NotJson("two attributes have the same name but for their namespace")
    own = (element.text or "").strip()
    if own:
        fields["text"] = own
    repeated: dict[str, list[Any]] = {}
    for child in element:
        if (child.tail or "").strip():
            raise NotJson(f"text stands behind the element {local_name(child.tag)[:40]}")
        repeated.setdefault(local_name(child.tag), []).append(_value(child, depth))
    for name, values in repeated.items():
        if name in fields:
            raise NotJson(f"two fields are called {name[:40]!r}")
        fields[name] = values[0] if len(values) == 1 else values
    return fields


def _value(child: Any, depth: int) -> Any:
    if len(child) or child.attrib:
        return _fields(child, depth + 1)
    return (child.text or "").strip() or None
