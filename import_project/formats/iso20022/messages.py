"""Which ISO 20022 message a content is: by the local name below its root, the version by its namespace."""

import re
from contextlib import suppress
from io import BytesIO
from xml.parsers import expat

from import_project.errors import FileRefused
from import_project.formats.markup import refuse_doctype

STATUS_REPORT = "pain.002"

#: The element below the root, without the version that .01 messages carry, and the message it begins.
MESSAGES = {
    "BkToCstmrAcctRpt": "camt.052",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
    "CstmrPmtStsRpt": STATUS_REPORT,
    "PmtStsRpt": STATUS_REPORT,
    "pain.002.001.02": STATUS_REPORT,
}
_VERSIONED = re.compile(r"V\d\d$")
_MOST_BEFORE = 20  # elements of an envelope that may stand around a message


def message_of(name: str) -> str | None:
    """Return the message that an element of this local name begins, if any."""
    return MESSAGES.get(_VERSIONED.sub("", name))


def full_name(message: str, namespace: str) -> str:
    """Return a message with its version where the namespace names it: `camt.053.001.08`."""
    found = re.search(re.escape(message) + r"\.\d{3}\.\d{2}", namespace)
    return found[0] if found else message


def recognise(content: bytes, *, message: str | None = None) -> bool:
    """Whether `content`, the beginning of a file, is a message that is read here; with `message`, that one."""
    head = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return False
    try:
        refuse_doctype(BytesIO(head))
    except FileRefused:
        return False
    found = message_in(head)
    return found is not None and (message is None or found == message)


def message_in(head: bytes) -> str | None:
    """Return the message that begins among the first elements of a document."""
    found: list[str] = []
    begun = 0

    def begin(name: str, _attributes: object) -> None:
        nonlocal begun
        begun += 1
        told = message_of(name.rpartition(":")[2])
        if told and begun <= _MOST_BEFORE:
            found.append(told)

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    with suppress(expat.ExpatError, LookupError, ValueError):  # torn further on: told where it is read
        parser.Parse(head[: 1 << 16], False)  # noqa: FBT003 - expat takes it by place only
    return found[0] if found else None
