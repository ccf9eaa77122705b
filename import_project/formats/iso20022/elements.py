"""Walking in an element tree by local names. No meaning of any element."""

from collections.abc import Iterator
from datetime import date
from typing import Any

Element = Any  #: an element of lxml, which has no types of its own


class _Local(dict[Any, str]):
    """Local names by the full ones, each worked out once."""

    def __missing__(self, tag: Any) -> str:
        name = tag.rpartition("}")[2] if isinstance(tag, str) else ""
        self[tag] = name
        return name


_LOCAL = _Local()


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return _LOCAL[element.tag]


def parts(element: Element | None) -> dict[str, Element]:
    """Return the children by local name; of several with one name, the first."""
    found: dict[str, Element] = {}
    if element is not None:
        for child in element:
            found.setdefault(_LOCAL[child.tag], child)
    return found


def each(element: Element | None, name: str) -> Iterator[Element]:
    """Yield the children with a local name."""
    if element is not None:
        for child in element:
            if _LOCAL[child.tag] == name:
                yield child


def at(element: Element | None, *path: str) -> Element | None:
    """Return the first element on a path of local names, trying each child of a name."""
    if element is None or not path:
        return element
    for child in each(element, path[0]):
        found = at(child, *path[1:])
        if found is not None:
            return found
    return None


def text(element: Element | None, *path: str) -> str | None:
    """Return the text at a path, blanks around it stripped; None when it is missing or blank."""
    found = at(element, *path)
    if found is None or found.text is None:
        return None
    return found.text.strip() or None


def day(element: Element | None) -> date | None:
    """Return the day of a `Dt` or `DtTm` choice, or of an element that holds the date itself: the bank's own day."""
    if element is None:
        return None
    told = text(element, "Dt") or text(element, "DtTm") or text(element)
    try:
        return date.fromisoformat(told[:10]) if told else None
    except ValueError:
        return None
