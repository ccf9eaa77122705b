"""What the package is made of: every dependency is pinned with the hashes of its files, and none that it needs is under
the GPL. Known weaknesses are looked for by `make audit`, in CI too; it needs the network."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from import_project_tests.http_servers import http_server
from import_project_tests.proof.catalogue import ROOT

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==\S+", re.MULTILINE)


@pytest.mark.parametrize("name", ["run", "dev", "audit"])
def test_every_dependency_is_pinned_with_its_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    entries = [e for e in re.split(r"\n(?=\S)", text) if e.strip() and not e.startswith(("#", "--"))]
    assert len(entries) > 20
    assert [e.split("\n")[0] for e in entries if not _PIN.match(e) or "--hash=sha256:" not in e] == []


def test_audit_that_reaches_no_advisories_says_so() -> None:
    """It fails, but where it is told to let that pass, as CI is."""
    for more, code in [((), 2), (("UNREACHABLE=pass",), 0)]:
        command = ["make", "audit", "ADVISORIES=http://127.0.0.1:1/none", f"PYTHON={sys.executable}", *more]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, "NOT AUDITED: http://127.0.0.1:1/none" in done.stdout) == (code, True), done
    assert "make audit UNREACHABLE=pass" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.long
def test_audit_finds_a_known_weakness() -> None:
    """Advisories come from a mirror of OSV, as a house without a way out would run one: of one pin, then of none."""
    for weak, code in [("httpx", 2), (None, 0)]:
        asked: list[str] = []
        with http_server(_advisories(weak, asked)) as address:
            command = ["make", "audit", f"ADVISORIES={address}", f"PYTHON={sys.executable}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, "TEST-2026-1" in done.stdout) == (code, weak is not None), done
        assert "httpx" in asked
        assert len(asked) > 40


@pytest.mark.long
def test_list_of_parts_names_every_pin() -> None:
    done = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    told = json.loads((ROOT / "sbom.json").read_text("utf-8"))
    pinned = {name.lower() for name in _PIN.findall((ROOT / "requirements" / "run.txt").read_text("utf-8"))}
    assert (told["bomFormat"], {one["name"].lower() for one in told["components"]}) == ("CycloneDX", pinned)


def _advisories(weak: str | None, asked: list[str]) -> Starlette:
    """OSV's API with an advisory for one package, which notes the names that were asked about."""

    async def query(request: Request) -> Response:
        package = (await request.json())["package"]
        asked.append(package["name"])
        events = [{"introduced": "0"}, {"fixed": "99.0"}]
        affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        told = {"id": "TEST-2026-1", "details": "none", "affected": [affected]}
        return JSONResponse({"vulns": [told]} if package["name"] == weak else {})

    async def one(_request: Request) -> Response:
        return JSONResponse({})

    return Starlette(routes=[Route("/query", query, methods=["POST"]), Route("/vulns/{id}", one)])


def test_nothing_that_is_needed_is_under_the_gpl() -> None:
    found = {}
    for name in _PIN.findall((ROOT / "requirements" / "run.txt").read_text("utf-8")):
        try:
            told = metadata(name)
        except PackageNotFoundError:  # for another system or Python
            continue
        terms = " ".join(
            [
                str(told["License-Expression"] or "") if "License-Expression" in told else "",
                *(told.get_all("Classifier") or []),
            ]
        )
        found[name] = terms
    assert len(found) > 40
    bad = {n for n, terms in found.items() if re.search(r"(?<!L)GPL|GNU General Public", terms) and "LGPL" not in terms}
    assert bad == set()
