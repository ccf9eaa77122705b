"""The ledger is restored from a backup, or lost: what was done since is not done again, and people are told."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from import_project.pipeline.older_ledger import tell_older_ledger
from import_project.pipeline.parts import Parts
from import_project_tests.cli.test_postings import LOOKED_UP, asked, told
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.row_feeds import order, orders, outcome_of, run_orders


def effects(api: ApiPeer) -> Counter[str]:
    return Counter(body["order_id"] for _, _, body in api.effects)


def rows(*numbers: int) -> Counter[str]:
    return Counter(f"AB-{number:06d}" for number in numbers)


def ledger_file(installation: Installation) -> Path:
    return Path(installation.environ["IMPORT_PROJECT_HOME"], "ledger.db")


def restored_with(installation: Installation, api: ApiPeer, **post: object) -> Installation:
    made = installation.rewrite("orders", post=post) if post else installation
    ledger, backup = ledger_file(made), made.home / "backup.db"
    with closing(made.parts()) as parts:
        run_orders(made, parts, orders(order(1), order(2)))
        with closing(sqlite3.connect(ledger)) as here, closing(sqlite3.connect(backup)) as there:
            here.backup(there)
        run_orders(made, parts, orders(order(3), order(4)), "orders_2.csv")
    assert effects(api) == rows(1, 2, 3, 4)
    for path in ledger.parent.glob("ledger.db*"):
        path.unlink()
    shutil.copyfile(backup, ledger)
    return made


def alerts(parts: Parts) -> list[str]:
    return [alert.text for alert, _, _ in parts.ledger.alerts.newest(9) if alert.key.startswith("older ledger:")]


def test_what_was_sent_since_is_sent_again_with_its_key_while_the_api_knows_it(
    installation: Installation, api: ApiPeer
) -> None:
    made = restored_with(installation, api)
    with closing(made.parts()) as parts:
        counts = run_orders(made, parts, orders(order(3), order(4), order(5)), "orders_3.csv").counts
        assert counts.posted == 3
        assert effects(api) == rows(1, 2, 3, 4, 5)
        assert len(api.calls) == 7
        (text,) = alerts(parts)
    assert text.startswith("the ledger is older than what was done: what was decided and sent since 20")


def test_what_may_have_been_sent_waits_for_a_person_when_keys_are_forgotten(
    installation: Installation, api: ApiPeer
) -> None:
    made = restored_with(installation, api)
    made.clock.advance(hours=25)
    api.forget_keys = True
    with closing(made.parts()) as parts:
        counts = run_orders(made, parts, orders(order(3), order(4), order(5)), "orders_3.csv").counts
        assert (counts.posted, counts.dead) == (0, 3)
        since = tell_older_ledger(parts)
        assert len(alerts(parts)) == 1
    assert since is not None
    assert effects(api) == rows(1, 2, 3, 4)
    listed = asked(made, "postings", "list")
    assert [one["state"] for one in listed] == ["dead"] * 3
    words = "the ledger is older than what was done, it may have been sent since"
    assert all(words in asked(made, "postings", "show", str(one["id"]))["receipt"] for one in listed)
    (problem,) = asked(made, "audit", "verify", code=1)["problems"]
    assert "import-project audit accept" in problem
    assert f"{since:%Y-%m-%d %H:%M:%S} UTC" in told(made, "audit", "accept", "--note", "compared with their books")
    assert asked(made, "audit", "verify")["problems"] == []
    for one in listed[:2]:
        asked(made, "postings", "settle", str(one["id"]), "--as", "done", "--note", "they have it")
    asked(made, "postings", "replay", str(listed[2]["id"]), "--note", "they do not")
    with closing(made.parts()) as parts:
        run_orders(made, parts, orders(order(6)), "orders_4.csv")
    assert effects(api) == rows(1, 2, 3, 4, 5, 6)


def test_what_can_be_asked_for_is_asked_for(installation: Installation, api: ApiPeer) -> None:
    made = restored_with(installation, api, **LOOKED_UP)
    made.clock.advance(days=9)
    api.forget_keys = True
    with closing(made.parts()) as parts:
        counts = run_orders(made, parts, orders(order(3), order(4), order(5)), "orders_3.csv").counts
        assert counts.posted == 3
        assert len(alerts(parts)) == 1
    assert effects(api) == rows(1, 2, 3, 4, 5)


def test_ledger_that_began_anew_sends_nothing_that_nobody_can_tell_of(installation: Installation, api: ApiPeer) -> None:
    with closing(installation.parts()) as parts:
        run_orders(installation, parts, orders(order(1)))
    for path in ledger_file(installation).parent.glob("ledger.db*"):
        path.unlink()
    api.forget_keys = True
    with closing(installation.parts()) as parts:
        counts = run_orders(installation, parts, orders(order(1), order(2)), "orders_2.csv").counts
        assert (counts.posted, counts.dead) == (0, 2)
        (text,) = alerts(parts)
    assert "sent before it began may be missing" in text
    assert effects(api) == rows(1)


def test_ledger_that_is_as_it_should_be_has_nothing_to_accept(installation: Installation, api: ApiPeer) -> None:
    with closing(installation.parts()) as parts:
        run_orders(installation, parts, orders(order(1)))
        assert tell_older_ledger(parts) is None
    assert "nothing is missing from the ledger" in told(installation, "audit", "accept", "--note", "x", code=1)


def test_watermark_may_lie_on_another_disk(installation: Installation, api: ApiPeer) -> None:
    """The whole home is restored, as from a snapshot of its disk."""
    elsewhere = {
        **installation.environ,
        "IMPORT_PROJECT_WATERMARK": str(installation.home / "elsewhere" / "ledger.mark"),
    }
    made = replace(installation, environ=elsewhere)
    home = ledger_file(made).parent
    with closing(made.parts()) as parts:
        run_orders(made, parts, orders(order(1)))
    shutil.copytree(home, made.home / "snapshot")
    with closing(made.parts()) as parts:
        run_orders(made, parts, orders(order(2)), "orders_2.csv")
    shutil.rmtree(home)
    shutil.copytree(made.home / "snapshot", home)
    with closing(made.parts()) as parts:
        assert tell_older_ledger(parts) is not None
        assert outcome_of(parts, "orders_1.csv").state == "done"
