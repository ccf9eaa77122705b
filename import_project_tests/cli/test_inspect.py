"""`import-project inspect` and the other commands, as a user calls them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from import_project.demo import files
from import_project.errors import Unreadable
from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, environment

GOLDEN = Path(__file__).parent / "golden"


def command(*arguments: str | Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("import-project")
    return subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environ or dict(os.environ),
    )


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("path", sorted(p for p in GOLDEN.iterdir() if p.suffix != ".json"), ids=lambda p: p.stem)
def test_golden_files(path: Path) -> None:
    """Each sample lies beside what `inspect --json` must print; both were held against the manual by hand."""
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    done = command("inspect", path, "--json")
    assert json.loads(done.stdout) == expected
    refused = any(i["severity"] == "error" for i in expected["issues"])
    assert done.returncode == (1 if refused else 0)
    assert len(done.stderr.splitlines()) == (1 if refused else 0)


def test_json_of_a_deduction_and_two_currencies(tmp_path: Path) -> None:
    sek = Section([money("20", "500.00"), money("21", "200.50", deduction="0", serial="000000000002")])
    eur = Section([money("20", "7.00", serial="000000000003")], currency="EUR", deposit="00057")
    path = tmp_path / "file.txt"
    path.write_bytes(BgMaxFile([sek, eur]).content())
    found: dict[str, Any] = json.loads(command("inspect", path, "--json").stdout)
    assert set(found) == {"format", "payments", "totals", "statements", "issues"}
    assert found["payments"] == 3
    assert found["totals"] == {
        "SEK": {"count": 2, "credit": "500.00", "debit": "200.50"},
        "EUR": {"count": 1, "credit": "7.00", "debit": "0.00"},
    }
    assert [s["net"] for s in found["statements"]] == ["299.50", "7.00"]
    assert found["issues"] == []


def test_table_for_people(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(files.bgmax())
    done = command("inspect", path)
    assert "bgmax: 10 payments" in done.stdout
    assert "deposit 1100.00 but payments" in one_line(done.stderr)
    assert done.returncode == 1


def test_row_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"a;b\n1;2\n")
    found = json.loads(command("inspect", path, "--json").stdout)
    assert (found["format"], found["rows"], found["columns"]) == ("delimited", 1, ["a", "b"])


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"hello", b"%PDF-1.4"])
def test_file_that_nobody_can_read_is_one_line_and_exit_1(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strange.bin"
    path.write_bytes(content)
    done = command("inspect", path, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert str(path) in one_line(done.stderr)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    path = tmp_path / "strange.bin"
    path.write_bytes(b"hello")
    assert "Traceback" in command("--debug", "inspect", path).stderr


def test_wrong_calls_are_explained() -> None:
    assert command("inspect", "/nowhere").returncode == 2
    assert "No such command" in command("nonsense").stderr


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['import-project', '--help']\n"
        "from import_project.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = {'polars', 'dagster', 'pandera', 'asyncssh', 'sqlalchemy', 'pydantic', 'rich', 'httpx', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "inspect" in done.stdout


def test_feeds_are_checked(tmp_path: Path, installation: Installation) -> None:
    environ = environment(installation)
    good = command("feeds", "check", environ=environ)
    assert good.returncode == 0
    assert "bankgiro" in good.stdout
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.yaml").write_text("feed: x\nhots: 1\n", "utf-8")
    bad = command("feeds", "check", "--feeds", tmp_path / "bad", environ=environ)
    assert bad.returncode == 1
    assert "x.yaml" in one_line(bad.stderr)


def test_files_lists_outcomes(installation: Installation, api: ApiPeer) -> None:
    (installation.inbox / files.ORDERS_NAME).write_bytes(files.orders_csv())
    parts = installation.parts()
    installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    environ = environment(installation)
    (row,) = json.loads(command("files", "--json", environ=environ).stdout)
    assert (row["file"], row["accepted"], row["posted"], row["state"]) == (files.ORDERS_NAME, 5, 5, "done")
    assert "done" in command("files", environ=environ).stdout
    parts.close()


def test_file_content_is_never_taken_for_markup(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(files.bgmax().replace(b"SEK", b"[/]"))
    assert "[/]" in command("inspect", path).stdout


def test_strange_surroundings_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("not a database, but long enough to be read as one" * 50, "utf-8")
    (tmp_path / "file").touch()
    for setting in (
        {"IMPORT_PROJECT_HOME": str(tmp_path / "nothing")},
        {"IMPORT_PROJECT_LEDGER": f"sqlite:///{tmp_path}/no.db"},
        {"IMPORT_PROJECT_LEDGER": f"sqlite:///{tmp_path}/file/ledger.db"},
        {"IMPORT_PROJECT_NONSENSE": "1"},
    ):
        done = command("files", environ={**os.environ, **setting})
        assert done.returncode == 1, setting
        one_line(done.stderr)
    assert not (tmp_path / "nothing").exists()


def test_outcomes_tell_why_and_what_was_repeated(installation: Installation) -> None:
    (installation.inbox / "orders_bad.csv").write_bytes(b"order_id;x\n1;2\n")
    parts = installation.parts()
    with pytest.raises(Unreadable):
        installation.run(parts, "orders", installation.poll_until_ready(parts, "orders"))
    (row,) = json.loads(command("files", "--json", environ=environment(installation)).stdout)
    assert (row["state"], row["repeated"], row["rejected"]) == ("failed", 0, 0)
    assert "missing from the first row, the header" in row["error"]
    parts.close()
