"""A file walked through a feed: what a run would end with, and no trace of it anywhere."""

from contextlib import nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from import_project.demo import files
from import_project.errors import NotRecognised, Unreadable
from import_project.pipeline.check import Checked, check_file
from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.row_feeds import order, orders, run_orders, with_python, with_schema


def check(installation: Installation, feed: str, content: bytes) -> Checked:
    return check_file(installation.feed(feed), lambda: nullcontext(BytesIO(content)))


def test_check_says_what_a_run_then_does(installation: Installation, api: ApiPeer) -> None:
    installation = with_python(installation, "", skip_if="amount > 1000")
    checked = check(installation, "orders", files.orders_csv())
    assert (checked.rows, checked.accepted, checked.quarantined, checked.skipped) == (10, 5, 5, 2)
    assert checked.first is not None
    assert (checked.posted_to, checked.first["order_id"], checked.refused) == ("/orders", "AB-000002", None)
    assert checked.reasons["error", "amount", "unreadable"] == 1
    assert api.calls == []
    assert not (installation.home / "state").exists()
    outcome = run_orders(installation, installation.parts(), files.orders_csv())
    counts = outcome.counts
    assert (counts.accepted, counts.quarantined, counts.skipped) == (5, 5, 2)
    assert checked.would_post == counts.posted == 3


def test_check_calls_nothing(installation: Installation, tmp_path: Path) -> None:
    code = f"from pathlib import Path\ndef take(row):\n    Path({str(tmp_path / 'called')!r}).touch()\n"
    post = {"api": None, "rows": None, "on_row": "work.py:take"}
    checked = check(with_python(installation, code, post=post), "orders", orders(order(1)))
    assert (checked.would_post, checked.posted_to) == (1, "work.py:take")
    assert not (tmp_path / "called").exists()


def test_limits_refuse_the_file(installation: Installation) -> None:
    limited = with_schema(installation, most_quarantined={"rows": 0})
    checked = check(limited, "orders", orders(order(1), order(2, "x")))
    assert checked.refused == "1 of 2 rows are quarantined, more than 0"
    assert checked.would_post == 0


def test_bank_files(installation: Installation, api: ApiPeer) -> None:
    checked = check(installation, "bankgiro", files.bgmax())
    assert (checked.rows, checked.accepted, checked.quarantined) == (10, 8, 2)
    lines = BgMaxFile([Section([money("20", "1.00")])]).lines()
    refused = check(installation, "bankgiro", "\n".join(lines[:-1]).encode("iso-8859-1"))
    assert (refused.refused or "").startswith("C1: ")
    assert refused.would_post == 0
    assert api.calls == []


def test_what_a_run_would_refuse_at_once(installation: Installation) -> None:
    with pytest.raises(NotRecognised, match="the content is not bgmax"):
        check(installation, "bankgiro", files.orders_csv())
    with pytest.raises(Unreadable, match="missing from the first row, the header"):
        check(installation, "orders", b"order_id;x\n1;2\n")


def test_file_is_opened_anew_for_each_look(installation: Installation) -> None:
    opened = []

    def open_file() -> nullcontext[BytesIO]:
        opened.append(1)
        return nullcontext(BytesIO(orders(order(1))))

    check_file(installation.feed("orders"), partial(open_file))
    assert len(opened) >= 2
