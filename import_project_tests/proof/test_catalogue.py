"""The catalogue tells the truth: every test that it names exists, no fault of the gate is without one, every guard can
still be taken away; and, in the long run, each that is taken away turns its test red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from import_project_tests.proof.catalogue import ROOT, Guard, faults, guards, names_in
from import_project_tests.proof.page import told_in


@pytest.mark.parametrize("name", sorted({t for fault in faults() for t in fault.tests} | {g.test for g in guards()}))
def test_every_test_that_is_named_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert test in names_in(file)


def test_no_fault_of_the_gate_is_without_a_proof() -> None:
    assert [fault.id for fault in faults() if fault.gate and not fault.tests] == []
    assert [fault.id for fault in faults() if not fault.tests and not fault.left] == []
    assert {g.fault for g in guards()} <= {fault.id for fault in faults()}
    assert len(guards()) >= 20


def test_the_page_tells_every_fault() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    told = told_in(page)
    assert set(told) == {fault.id for fault in faults()}
    assert {fault.id: told[fault.id] for fault in faults() if fault.gate and "held" not in told[fault.id]} == {}


@pytest.mark.parametrize("guard", guards(), ids=lambda g: f"{g.fault}: {g.guard}")
def test_every_guard_stands(guard: Guard) -> None:
    text = (ROOT / "import_project" / guard.file).read_text("utf-8")
    assert text.count(guard.line) == 1, "it moved: tell guards.yaml"
    compile(text.replace(guard.line, guard.instead), guard.file, "exec")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("guard", guards(), ids=lambda g: f"{g.fault}: {g.guard}")
def test_without_its_guard_a_test_turns_red(guard: Guard, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for part in ("import_project", "import_project_tests", "feeds", "docs", "deploy", "benchmarks"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy(ROOT / name, tree / name)
    path = tree / "import_project" / guard.file
    path.write_text(path.read_text("utf-8").replace(guard.line, guard.instead), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"import_project_tests/{guard.test}"]
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    run = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 1, f"{guard.test} does not notice\n{run.stdout}"
    assert "1 failed" in run.stdout or "FAILED" in run.stdout
