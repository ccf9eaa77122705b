"""The catalogue of faults and of guards, as it stands in the files beside this one."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
GROUPS = {
    "K": "Killed, and started again",
    "F": "Files that pretend",
    "N": "Servers",
    "C": "Content",
    "M": "Reconciliation",
    "P": "The receiving API",
    "E": "The machine",
    "S": "Security",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, the tests (pytest's ids, below import_project_tests) that prove it is survived, and what none proves."""

    id: str
    what: str
    tests: tuple[str, ...]
    left: str = ""
    gate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A line whose removal a test must notice; paths below import_project and import_project_tests."""

    guard: str
    fault: str
    file: str
    line: str
    instead: str
    test: str


@cache
def faults() -> tuple[Fault, ...]:
    """Read all faults, in their order."""
    given: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text("utf-8"))
    return tuple(Fault(id=key, **{**one, "tests": tuple(one["tests"])}) for key, one in given.items())


@cache
def guards() -> tuple[Guard, ...]:
    """Read all guards, in their order."""
    given = yaml.safe_load(Path(__file__).with_name("guards.yaml").read_text("utf-8"))
    return tuple(Guard(**one) for one in given)


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests, `Class::name` for those of a class; those that a class inherits count as its own."""
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    names = set(_named(tree.body))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inherited = {name for base in node.bases for name in _inherited(ast.unparse(base))}
            names |= {f"{node.name}::{name}" for name in {*_named(node.body), *inherited}}
    return frozenset(names)


def _named(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


@cache
def _inherited(base: str) -> frozenset[str]:
    """The tests of a class that other classes inherit, wherever it stands."""
    found: set[str] = set()
    for path in TESTS.rglob("*.py"):
        text = path.read_text("utf-8")
        if f"class {base}" in text:
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and node.name == base:
                    found |= set(_named(node.body))
                    found |= {name for one in node.bases for name in _inherited(ast.unparse(one))}
    return frozenset(found)
