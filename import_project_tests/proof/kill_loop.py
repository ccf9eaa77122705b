"""A kill loop: a process that polls and imports is killed at random, again and again, while files come and the API has
moods of its own; then the oracle.
"""

import random
import time
from pathlib import Path

from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation, rewrite_feed
from import_project_tests.proof.children import start_child
from import_project_tests.proof.oracle import Oracle, orders

_LEASE = 60
_MOODS = ("ok", "ok", "ok", "ok", "fail", "apply_then_drop", "apply_then_fail", "refuse_us")
_LONGEST_END = 300


def kill_loop(installation: Installation, api: ApiPeer, *, count: int, seconds: float, seed: int) -> int:
    """Drop `count` files over `seconds`, and kill every 0.2 to 3 s; then let all come to an end, and judge.

    Returns how many processes were killed. Raises AssertionError with the seed in it.
    """
    installation = installation.rewrite("orders")  # the clock runs ahead by days: what an API forgets is another fault
    rewrite_feed(Path(installation.environ["IMPORT_PROJECT_FEEDS"], "apis", "erp.yaml"), key_hours=2000)
    api.fail_status = 503  # a 500 that comes thrice while others are taken is the API's last word: another fault
    chance, oracle, kills, ahead = random.Random(seed), Oracle(), 0, 0
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds or len(oracle.shown) < count:
        while len(oracle.shown) < count and len(oracle.shown) <= count * passed / (seconds * 0.8):
            number = len(oracle.shown) + 1
            oracle.show(installation.inbox, f"orders_{number:05}.csv", orders(number, bad=chance.randint(0, 3)))
        api.mode = chance.choice(_MOODS)
        child = start_child(installation, "orders", 1_000_000, ahead, ROUNDS="1000")
        child.join(chance.uniform(0.2, 3))
        if child.is_alive():
            child.kill()
            kills += 1
        child.join()
        oracle.check_no_more(api)
        ahead += _LEASE * 2
    api.mode = "ok"
    _let_end(installation, oracle, ahead)
    try:
        oracle.check_effects(api)
        oracle.check_archive(installation.inbox)
        parts = installation.parts()
        oracle.check_ledger(parts)
        parts.close()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return kills


def _let_end(installation: Installation, oracle: Oracle, ahead: int) -> None:
    """Leave it alone until all files have ended, each try an hour after the last."""
    for turn in range(1, _LONGEST_END):
        child = start_child(installation, "orders", 1_000_000, ahead + turn * 4000, ROUNDS="4")
        child.join()
        parts = installation.parts()
        ended, waiting = len(parts.ledger.outcomes.all()), parts.ledger.arrivals.unfinished("orders")
        parts.close()
        left = [p for p in installation.inbox.iterdir() if p.is_file()]
        if ended == len(oracle.shown) and not waiting and not left:
            return
    raise AssertionError("not all files have ended")
