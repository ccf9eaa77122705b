"""The house's own rules: which room may import which, how large a module may be, and that each says what it holds."""

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median

import import_project
from import_project import errors

ROOT = Path(import_project.__file__).parent
MODULES = [p for p in sorted(ROOT.rglob("*.py")) if "versions" not in p.parts]


def test_imports_only_point_down() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    config = ROOT.parent / "pyproject.toml"
    done = subprocess.run(
        [str(program), "--config", str(config), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT.parent,
    )
    assert done.returncode == 0, done.stdout


def test_modules_are_small_and_say_what_they_hold() -> None:
    sizes = {p: len(p.read_text("utf-8").splitlines()) for p in MODULES}
    assert median(sizes.values()) < 120
    assert {p.name: n for p, n in sizes.items() if n > 300} == {}
    assert [p for p in MODULES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))] == []


def test_error_tree_is_drawn_as_it_is() -> None:
    drawn = errors.__doc__ or ""
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ImportProjectError)]
    for error in classes:
        line = next(x for x in drawn.splitlines() if error.__name__ in x.split())
        leaf = not [c for c in classes if error in c.__bases__]
        assert not leaf or ("(retry)" in line) == error.retry, error.__name__


def test_errors_are_one_line_with_their_place() -> None:
    error = errors.Unreadable("bad\nthing\x1b[2J", feed="bank", file="a\nb.txt", row=3, do="look")
    assert str(error) == "feed bank, a b.txt, row 3: bad thing [2J (look)"
    assert str(error.at(feed="other", file="c")) == str(error)
