"""An element as its shape (names, nesting, currencies, codes) and its texts: what is worked out for a shape holds for
every element of it. No meaning of any element.

Banks write a few shapes, thousands of times each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from import_project.formats.iso20022.elements import Element, local

#: A shape: names, each closed by END; behind a name `@` and its currency, `=` and its code, or TEXT.
Key = tuple[str, ...]

#: Elements whose text is a code, and so part of the shape.
CODES = frozenset({"Cd", "CdtDbtInd", "RvslInd", "Sts", "Prtry", "SubFmlyCd", "NbOfTxs"})
TEXT, END = "#", "/"
NOTHING = -1  # the place of None, behind all texts


def shape_of(element: Element, *, without: str = "") -> tuple[Key, list[str], list[Element]]:
    """Return the shape of an element, its texts in their order, and the elements called `without`, which stand in the
    shape by their name alone. Texts are stripped, blank ones are none."""
    key: list[str] = []
    texts: list[str] = []
    left_out: list[Element] = []
    _walk(element, key, texts, without, left_out)
    return tuple(key), texts, left_out


def _walk(element: Element, key: list[str], texts: list[str], without: str, left_out: list[Element]) -> None:
    name = local(element)
    key.append(name)
    if name == without:
        left_out.append(element)
        key.append(END)
        return
    if element.attrib and (currency := element.get("Ccy")) is not None:
        key.append("@" + currency)
    told = element.text
    if told and (told := told.strip()):
        if name in CODES:
            key.append("=" + told)
        else:
            key.append(TEXT)
            texts.append(told)
    for child in element:
        _walk(child, key, texts, without, left_out)
    key.append(END)


@dataclass(slots=True)
class Node:
    """An element of a shape. `code` is its text where that is a code, `place` which of the texts is its own."""

    name: str
    currency: str | None = None
    code: str | None = None
    place: int | None = None
    children: list["Node"] = field(default_factory=list)

    def each(self, name: str) -> Iterator["Node"]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def at(self, *path: str) -> "Node | None":
        """Return the first element on a path of names, trying each child of a name."""
        if not path:
            return self
        return next((found for child in self.each(path[0]) if (found := child.at(*path[1:]))), None)


def tree(key: Key) -> Node:
    """Return the elements of a shape."""
    root = Node(name=key[0])
    open_nodes = [root]
    places = 0
    for token in key[1:]:
        match token[0]:
            case "@":
                open_nodes[-1].currency = token[1:]
            case "=":
                open_nodes[-1].code = token[1:]
            case "#":
                open_nodes[-1].place, places = places, places + 1
            case "/":
                open_nodes.pop()
            case _:
                node = Node(name=token)
                open_nodes[-1].children.append(node)
                open_nodes.append(node)
    return root


class Values:
    """Where the values of a shape's elements are found among texts that end with None: `places` says where its own
    stand, by default in their order."""

    def __init__(self, key: Key, places: Sequence[int] | None = None) -> None:
        self._places = places if places is not None else range(key.count(TEXT))

    def place(self, node: Node | None, *path: str) -> int:
        """Return where the value at a path stands; NOTHING when there is none."""
        found = node.at(*path) if node is not None else None
        return NOTHING if found is None or found.place is None else self._places[found.place]

    def first(self, node: Node | None, *paths: tuple[str, ...]) -> int:
        """Return where the first value stands that one of the paths leads to."""
        found = (self.place(node, *path) for path in paths)
        return next((place for place in found if place != NOTHING), NOTHING)
