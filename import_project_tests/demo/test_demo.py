"""The demo as a user runs it: real servers, a real Dagster daemon, real sensors; then once more on the same home."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from import_project.demo.files import BGMAX_NAME, EXPECTED, ORDERS_NAME
from import_project.demo.installation import Installation
from import_project.demo.proof import run_demo
from import_project.errors import ConfigError
from import_project_tests.installation import FEEDS

PROJECT = FEEDS.parent


def demo(home: Path) -> tuple[int, dict[str, Any], str]:
    program = Path(sys.executable).with_name("import-project")
    done = subprocess.run(
        [str(program), "demo", "--home", str(home), "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("DAGSTER")},
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.timeout(400)
def test_demo_and_demo_again(tmp_path: Path) -> None:
    code, first, words = demo(tmp_path)
    assert code == 0, words
    assert (first["new_files"], first["new_postings"], first["problems"]) == (2, 15, [])
    rows = {row["file"]: row for row in first["files"]}
    for expected in EXPECTED:
        row = rows[expected.file]
        for name in ("feed", "rows", "accepted", "quarantined", "matched", "unmatched", "posted", "state"):
            assert row[name] == getattr(expected, name), (expected.file, name)
        assert row["seconds"] > 0
    calls = (tmp_path / "api/calls.log").read_text("utf-8")
    code, second, words = demo(tmp_path)
    assert code == 0, words
    assert (second["new_files"], second["new_postings"], second["files"]) == (0, 0, first["files"])
    assert (tmp_path / "api/calls.log").read_text("utf-8") == calls
    assert {p.name for p in tmp_path.rglob(".archive/**/*") if p.is_file()} == {BGMAX_NAME, ORDERS_NAME}

    (tmp_path / "api/effects.jsonl").write_text("", "utf-8")
    code, third, words = demo(tmp_path)
    assert code == 1, "a result that is not what the files contain must not pass"
    assert any("the API holds None as orders" in p for p in third["problems"])
    assert "error: " in words


def test_demo_needs_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no feeds in"):
        run_demo(Installation(tmp_path / "home", project=tmp_path), 1, tell=print)


def test_ended_from_outside_it_leaves_nothing_running(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("import-project")
    command = [str(program), "dev", "--home", str(tmp_path / "home"), "--port", str(free_port())]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("Dagster UI"):
                break
        time.sleep(1)
        child.send_signal(signal.SIGTERM)
        child.stdout.read()
        assert child.wait(timeout=60) == 130
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in left


def test_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            Installation(tmp_path / "home", project=PROJECT).check_port(port)
    assert not (tmp_path / "home").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
