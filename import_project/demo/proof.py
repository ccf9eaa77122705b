"""Running the demo to its end, and proving the result by what the ledger, the API and the inboxes hold."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from import_project.config.settings import Settings
from import_project.demo.files import EXPECTED, EXPECTED_EFFECTS
from import_project.demo.installation import Installation
from import_project.errors import ImportProjectError
from import_project.records.outcomes import Outcome
from import_project.store.ledger import Ledger

_POLLS_THAT_PROVE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Outcomes of all files, how much of it is new, and what is not as it must be (empty: all is well)."""

    outcomes: list[Outcome]
    new_files: int
    new_postings: int
    problems: list[str]


def run_demo(installation: Installation, timeout: float, *, tell: Callable[[str], object]) -> DemoResult:
    """Start everything, wait until each expected file has ended and the inboxes show nothing new, and prove it."""
    with installation.running() as environ:
        ledger = Ledger(Settings.read(environ).ledger_url)
        try:
            before, sent = len(ledger.outcomes.all()), len(installation.effects)
            with installation.daemon(environ) as daemon:
                problems = _wait(ledger, timeout, lambda: daemon.poll() is not None, tell)
            outcomes = ledger.outcomes.all()
        finally:
            ledger.close()
        effects = installation.effects
    problems += _differences(outcomes) + _repeated_effects(effects) + _left_over(installation)
    if len(outcomes) == len(EXPECTED):  # with other files in the home, the API holds theirs too
        problems += _effect_differences(effects)
    if problems:
        problems.append(f"the daemon's words are in {installation.home / 'daemon.log'}")
    return DemoResult(
        outcomes=outcomes,
        new_files=len(outcomes) - before,
        new_postings=len(effects) - sent,
        problems=problems,
    )


def _wait(ledger: Ledger, timeout: float, stopped: Callable[[], bool], tell: Callable[[str], object]) -> list[str]:
    """Wait until all files have ended, then for some polls of every feed, which must start nothing more."""
    until = time.monotonic() + timeout
    feeds = {e.feed for e in EXPECTED}
    enough: dict[str, int] = {}
    told = ""
    while time.monotonic() < until:
        if stopped():
            return ["the Dagster daemon stopped by itself"]
        try:
            names = {e.file for e in EXPECTED}
            ended, polls = sum(o.name in names for o in ledger.outcomes.all()), ledger.sightings.polls()
        except ImportProjectError as error:
            return [str(error)]
        now = f"{ended} of {len(EXPECTED)} files have ended"
        if now != told:
            tell(now)
            told = now
        if ended >= len(EXPECTED):
            enough = enough or {feed: polls.get(feed, 0) + _POLLS_THAT_PROVE for feed in feeds}
            if all(polls.get(feed, 0) >= count for feed, count in enough.items()):
                return []
        time.sleep(0.5)
    waiting = [
        f"{a.feed}: {a.name} is {a.state}: {a.error or 'no error'}" for f in feeds for a in ledger.sightings.unended(f)
    ]
    return [f"not all files ended in {timeout:.0f} seconds", *waiting]


def _differences(outcomes: list[Outcome]) -> list[str]:
    """Hold every outcome against what its file contains."""
    found = {o.name: o for o in outcomes}
    problems = []
    for expected in EXPECTED:
        outcome = found.get(expected.file)
        if outcome is None:
            problems.append(f"{expected.file}: has no outcome")
            continue
        held = {"feed": outcome.feed, "state": outcome.state}
        for name in ("feed", "rows", "accepted", "quarantined", "matched", "unmatched", "posted", "state"):
            value = held.get(name, getattr(outcome.counts, name, None))
            if value != getattr(expected, name):
                problems.append(f"{expected.file}: {name} is {value}, the file holds {getattr(expected, name)}")
    return problems


def _repeated_effects(effects: list[dict[str, object]]) -> list[str]:
    return [f"key {key} took effect {n} times" for key, n in Counter(e["key"] for e in effects).items() if n > 1]


def _effect_differences(effects: list[dict[str, object]]) -> list[str]:
    """Count and sum what reached the API, by kind, with nothing but `decimal`."""
    problems = []
    found: dict[str, tuple[int, Decimal]] = {}
    for effect in effects:
        path, body = str(effect["path"]), effect["body"]
        assert isinstance(body, dict)
        kind = "matched" if path.startswith("/invoices/") else path.strip("/")
        amount = Decimal(body["payment_amount"] if kind == "unmatched-payments" else body["amount"])
        count, total = found.get(kind, (0, Decimal(0)))
        found[kind] = (count + 1, total + amount)
    for kind, expected in EXPECTED_EFFECTS.items():
        if found.get(kind) != expected:
            problems.append(f"the API holds {found.get(kind)} as {kind}, the files contain {expected}")
    return problems


def _left_over(installation: Installation) -> list[str]:
    """No demo file may be in an inbox but in the folder of files that were set aside."""
    ours = {e.file for e in EXPECTED}
    left = [p for inbox in installation.inboxes.values() for p in inbox.rglob("*") if p.is_file()]
    return [f"{p} was not set aside" for p in left if p.name in ours and ".archive" not in p.parts]
