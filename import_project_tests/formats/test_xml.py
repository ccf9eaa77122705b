"""XML files of records: paths, attributes, repeats; a document type is refused before anything in it is looked at."""

import io
from pathlib import Path

import pytest

from import_project.errors import ImportProjectError, NotAllowed, NotRecognised, Unreadable
from import_project.formats import xml
from import_project.formats.markup import refuse_doctype
from import_project.formats.registry import detect
from import_project_tests.formats.reading import cells, problems, read

ORDERS = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment --><x:orders xmlns:x="urn:x"><head><n>2</n></head>
<x:order no="1"><id>A1</id><amount cur="SEK">1.50</amount><line>a</line><line>b</line><who><name>Bo</name></who></x:order>
<x:order no="2"><id> A2 </id><empty/></x:order>text</x:orders>"""


def test_elements_at_a_path_are_rows() -> None:
    reading = read("xml", ORDERS, record="orders/order")
    assert cells(reading) == [
        {"@no": "1", "id": "A1", "amount.@cur": "SEK", "amount.text": "1.50", "line": '["a","b"]', "who.name": "Bo"},
        {"@no": "2", "id": "A2"},
    ]
    assert reading.frame["raw"][1].startswith("<x:order")


def test_without_a_path_each_child_of_the_root_is_a_row() -> None:
    assert [c.get("id") for c in cells(read("xml", ORDERS))] == [None, "A1", "A2"]


def test_only_a_declared_path_makes_xml_a_row_file() -> None:
    assert xml.recognise(ORDERS, record="orders/order")
    with pytest.raises(NotRecognised):
        detect(ORDERS)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY a0 "aa"><!ENTITY a1 "&a0;&a0;">]>',
        "<!DOCTYPE a>",
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_document_types_are_refused(declared: str, codec: str) -> None:
    with pytest.raises(NotAllowed, match="document type"):
        read("xml", f"{declared}<a><b>&x;</b></a>".encode(codec))


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", "utf-8")
    included = (
        f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><b><xi:include href="{tmp_path}/secret" parse="text"/></b></a>'
    )
    assert "secret" not in [v for row in cells(read("xml", included.encode())) for k, v in row.items() if "@" not in k]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a>",
        b"<a><b></a>",
        b"<a><b>&x;</b></a>",
        b"<a>" * 100_000,
        b"<a><b></b></a><c/>",
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b" " * (2 << 20),
        b"<a>\x00</a>",
        b"<a><b " + b"".join(b'c%d="x" ' % i for i in range(20_000)) + b"/></a>",
    ],
)
def test_what_is_no_xml_or_too_much_is_our_error(content: bytes) -> None:
    try:
        reading = read("xml", content)
    except ImportProjectError as error:
        assert "\n" not in str(error)  # noqa: PT017 - the last one is a row that is set aside
    else:
        assert reading.issues["rule"].to_list() == ["unreadable_record"]


def test_every_cut_of_a_document_is_refused() -> None:
    for end in range(len(ORDERS) - 1):
        with pytest.raises(Unreadable):
            read("xml", ORDERS[:end], record="orders/order")


def test_prolog_is_read_no_further_than_the_first_element() -> None:
    content = io.BytesIO(b"<a>" + b"x" * 100_000)
    refuse_doctype(content)
    assert content.tell() == 0


@pytest.mark.parametrize(
    "record",
    ["<o>foo<b>x</b>tail</o>", "<o a='1' xmlns:x='u' x:a='2'/>", "<o text='1'>" + "<d>" * 70 + "</d>" * 70 + "</o>"],
)
def test_what_has_no_column_sets_the_record_aside(record: str) -> None:
    reading = read("xml", f"<r>{record}<o><b>y</b></o></r>".encode())
    assert reading.issues["rule"].to_list() == ["unreadable_record"]
    assert cells(reading)[1] == {"b": "y"}


def test_path_that_leads_nowhere_is_told() -> None:
    with pytest.raises(Unreadable, match="no element at orders/orde"):
        read("xml", ORDERS, record="orders/orde")


def test_elements_that_would_cost_far_more_than_they_are() -> None:
    def tag(many: int) -> bytes:
        return b"<o " + b" ".join(b'a%d=""' % n for n in range(many)) + b"/>"

    reading = read("xml", b"<orders>" + tag(10_001) + tag(2) + b"</orders>", record="orders/o")
    assert problems(reading) == [(1, "unreadable_record", None)]
    with pytest.raises(NotAllowed, match="more than 100,000 attributes"):
        read("xml", b"<orders>" + tag(100_001) + b"</orders>", record="orders/o")
    text = b"<orders><o><id>" + b"a=b " * 60_000 + b"</id><id>" + b"=" * 60_000 + b"</id></o></orders>"
    assert len(cells(read("xml", text, record="orders/o"))) == 1
    with pytest.raises(Unreadable, match="a record has more than 1,000,000 elements"):
        read("xml", b"<orders><o>" + b"<a/>" * 1_000_000 + b"</o></orders>", record="orders/o")
