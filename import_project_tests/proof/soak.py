"""A soak: a real Dagster daemon over ten feeds, three of them from an SFTP server, while files come and faults come and
go. Memory and descriptors of what lives long are noted all the while; at the end the oracle's questions are asked over
all feeds.
"""

import random
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import yaml

from import_project.pipeline.parts import Parts
from import_project_tests.children import ROOT, daemon
from import_project_tests.http_servers import ApiPeer, api_peer
from import_project_tests.installation import Installation, environment, rewrite_feed
from import_project_tests.proof.oracle import Oracle, orders
from import_project_tests.servers import SftpFaults, SftpPeer, sftp_peer

FEEDS, FROM_SFTP = 10, 3
#: Seconds: between two samples, between two files, how long a fault lasts and what follows it, and until all has ended: a file
#: that failed seven times is tried again after 32 minutes.
SAMPLE, DROP, FAULT, PEACE, PATIENCE = 10.0, (0.5, 4.0), (4.0, 15.0), (10.0, 40.0), 2000.0
_MOODS = ("fail", "apply_then_drop", "apply_then_fail", "slow_down")
_TROUBLES = ("deny list", "deny read", "deny rename", "cut", "stall", *_MOODS)
#: What lives long, known by its command line. Runs are forked from the warm process and have its words: left out.
_ROLES = {"code server": "grpc", "warm process": "import_project.defs.forks"}


@dataclass(frozen=True, slots=True)
class Use:
    """What the largest process of a role holds, resident bytes and open descriptors; and how many they are. The daemon
    starts a new code server each minute, and lets the old one go when the new one answers."""

    rss: int = 0
    descriptors: int = 0
    processes: int = 0

    def __add__(self, other: "Use") -> "Use":
        most = max(self.rss, other.rss), max(self.descriptors, other.descriptors)
        return Use(*most, self.processes + other.processes)


@dataclass(frozen=True, slots=True)
class Sample:
    """What each role holds, so many seconds after the start."""

    at: float
    uses: Mapping[str, Use]


@dataclass
class Soak:
    """Ten feeds, their inboxes, what was shown in them, and the peers."""

    installation: Installation
    inboxes: dict[str, Path]
    sftp: SftpPeer
    api: ApiPeer
    chance: random.Random
    oracles: dict[str, Oracle] = field(default_factory=dict)
    files: int = 0

    @classmethod
    def make(cls, home: Path, sftp: SftpPeer, api: ApiPeer, seed: int) -> "Soak":
        installation = Installation.make(home, sftp, api).rewrite("orders", poll={"every_seconds": 5})
        folder, inboxes = Path(installation.environ["IMPORT_PROJECT_FEEDS"]), dict[str, Path]()
        feed = yaml.safe_load((folder / "orders.yaml").read_text("utf-8"))
        for name in [f"feed{n}" for n in range(FEEDS)]:
            source: dict[str, Any] = {"kind": "local_fs", "path": str(home / "inboxes" / name)}
            inboxes[name] = home / "inboxes" / name
            if len(inboxes) > FEEDS - FROM_SFTP:
                source = {
                    "kind": "sftp",
                    "host": "127.0.0.1",
                    "port": sftp.port,
                    "username": "acme",
                    "path": name,
                }
                source |= {"key": {"env": "BANK_KEY"}, "known_hosts": str(sftp.known_hosts), "step_timeout": 5}
                inboxes[name] = sftp.root / name
            inboxes[name].mkdir(parents=True)
            (folder / f"{name}.yaml").write_text(yaml.safe_dump({**feed, "feed": name, "source": source}), "utf-8")
        for name in ("orders", "bankgiro"):
            (folder / f"{name}.yaml").unlink()
        breaker = {"first_seconds": 2, "longest_seconds": 15}
        rewrite_feed(folder / "apis" / "erp.yaml", breaker=breaker, retry={"retry_after_seconds": 10})
        oracles = {name: Oracle() for name in inboxes}
        return cls(installation, inboxes, sftp, api, random.Random(seed), oracles)

    def drop(self) -> None:
        """A file in one of the inboxes, of rows that no other has."""
        self.files += 1
        name = self.chance.choice(list(self.inboxes))
        content = orders(self.files, bad=self.chance.randint(0, 3), padding=self.chance.choice((0, 0, 0, 2000)))
        self.oracles[name].show(self.inboxes[name], f"orders_{self.files:06}.csv", content)

    def trouble(self, what: str) -> None:
        faults: SftpFaults = self.sftp.faults
        match what.split():
            case ["deny", operation]:
                faults.deny.add(operation)
            case ["cut"]:
                faults.cut_after_bytes = self.chance.randint(1, 400)
            case ["stall"]:
                faults.stall_reads = True
            case ["slow_down"]:
                self.api.slow_down, self.api.retry_after = self.chance.randint(1, 40), self.chance.choice(("", "1"))
            case _:
                self.api.mode = what

    def peace(self) -> None:
        faults = self.sftp.faults
        faults.deny.clear()
        faults.cut_after_bytes, faults.stall_reads = None, False
        self.api.mode, self.api.slow_down = "ok", 0

    def left(self, parts: Parts) -> list[str]:
        """The files that have not ended well, and how they stand."""
        states = {(o.feed, o.name): f"{o.state} {o.error or ''}" for o in parts.ledger.outcomes.all()}
        shown = [(feed, name) for feed, one in self.oracles.items() for name in one.shown]
        waiting = [f"{feed} {name}: {states.get((feed, name), 'no end')}" for feed, name in shown]
        return [told for told in waiting if not told.endswith(": done ")]

    def judge(self, parts: Parts) -> None:
        """Every good row of every feed took effect exactly once, to the cent, and every file stands in its archive."""
        good = {row: told for one in self.oracles.values() for row, told in one.good().items()}
        times = Counter(str(body["order_id"]) for _, _, body in self.api.effects)
        assert set(times) == set(good), f"lost: {set(good) - set(times)}, made up: {set(times) - set(good)}"
        assert set(times.values()) == {1}, [row for row, n in times.items() if n > 1]
        took = {str(b["order_id"]): (Decimal(b["amount"]), b["currency"]) for _, _, b in self.api.effects}
        assert took == good
        bodies: dict[str, set[str]] = {}
        for key, _, raw in self.api.calls:
            bodies.setdefault(key, set()).add(raw)
        assert max(map(len, bodies.values())) == 1, "a key was sent with two bodies"
        for feed, oracle in self.oracles.items():
            oracle.check_ledger(parts, feed)
            oracle.check_archive(self.inboxes[feed])


def _sample(daemon: psutil.Process, began: float) -> Sample:
    assert daemon.status() != psutil.STATUS_ZOMBIE, "the daemon has ended"
    uses = {"daemon": _use(daemon)}
    seen = {child.pid: child for child in daemon.children(recursive=True)}
    for child in seen.values():
        with suppress(psutil.NoSuchProcess):
            words, parent = " ".join(child.cmdline()), seen.get(child.ppid())
            role = next((name for name, sign in _ROLES.items() if sign in words), None)
            if role is not None and not (parent is not None and parent.cmdline() == child.cmdline()):
                uses[role] = uses.get(role, Use()) + _use(child)
    return Sample(time.monotonic() - began, uses)


def _use(process: psutil.Process) -> Use:
    return Use(process.memory_info().rss, process.num_fds(), 1)


def soak(home: Path, seconds: float, seed: int) -> list[Sample]:
    """Let a daemon work for so long, then all faults end and all files must; judge. Returns what was held meanwhile.

    Raises AssertionError with the seed in it, and the end of the daemon's log.
    """
    instance, log, samples = home / "dagster", home / "daemon.log", list[Sample]()
    instance.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", instance / "dagster.yaml")
    with ExitStack() as stack:
        made = Soak.make(
            home / "home", stack.enter_context(sftp_peer(home / "sftp")), stack.enter_context(api_peer()), seed
        )
        environ = environment(made.installation) | {"DAGSTER_HOME": str(instance)}
        running = psutil.Process(stack.enter_context(daemon(environ, log)).pid)
        parts = made.installation.parts()
        stack.callback(parts.close)
        began = time.monotonic()
        due = {"sample": began + SAMPLE, "drop": began, "fault": began + PEACE[0]}
        rests = True
        while (now := time.monotonic()) < began + seconds:
            if now >= due["sample"]:
                samples.append(_sample(running, began))
                due["sample"] += SAMPLE
            if now >= due["drop"]:
                made.drop()
                due["drop"] = now + made.chance.uniform(*DROP)
            if now >= due["fault"]:
                if rests:
                    for what in made.chance.sample(_TROUBLES, made.chance.randint(1, 2)):
                        made.trouble(what)
                else:
                    made.peace()
                due["fault"] = now + made.chance.uniform(*(FAULT if rests else PEACE))
                rests = not rests
            time.sleep(0.1)
        made.peace()
        try:
            _until(lambda: not made.left(parts), lambda: f"not ended: {made.left(parts)[:20]}")
            made.judge(parts)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}\n{log.read_text('utf-8', 'replace')[-3000:]}") from error
    return samples


def _until(true: Callable[[], bool], told: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, told()
        time.sleep(1)


def growth(samples: Sequence[Sample]) -> dict[str, tuple[Use, Use]]:
    """What each role held: the medians of the second quarter and of the last."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return {role: (_median(early, role), _median(late, role)) for role in ("daemon", *_ROLES)}


def _median(samples: Sequence[Sample], role: str) -> Use:
    held = [one.uses.get(role, Use()) for one in samples]
    rss, descriptors, processes = (
        int(statistics.median(values))
        for values in zip(*((u.rss, u.descriptors, u.processes) for u in held), strict=True)
    )
    return Use(rss, descriptors, processes)
