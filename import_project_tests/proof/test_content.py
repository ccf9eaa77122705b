"""Files that are not what they should be: odd times, nothing in them, themselves twice, rows that overlap, amounts in
every dress, XML that points elsewhere. What is good takes effect once; what is not is told, and holds back nothing.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal

import polars as pl
import pytest

from import_project.errors import ImportProjectError
from import_project.pipeline.by_hand import Hand, Wanted, match_by_hand
from import_project.pipeline.parts import Parts
from import_project.pipeline.see import Request, see
from import_project.records.outcomes import Outcome
from import_project_tests.formats.camt_files import document, entry, statement
from import_project_tests.formats.reading import read
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.bank_days import ALICE, Bank, invoice, paid
from import_project_tests.pipeline.row_feeds import HEADER, order, orders, outcome_of, run_orders, with_schema
from import_project_tests.servers import SftpPeer

_DAY = 86_400


def took(api: ApiPeer) -> Counter[str]:
    """How often each order took effect."""
    return Counter(str(body["order_id"]) for _, _, body in api.effects)


def numbers(*wanted: int) -> dict[str, int]:
    return {f"AB-{n:06d}": 1 for n in wanted}


def run_all(installation: Installation, parts: Parts) -> list[Outcome]:
    """Poll until nothing is ready any more; a file that is refused holds back none."""
    for turn in range(4):
        for n, request in enumerate(installation.poll(parts, "orders")):
            with suppress(ImportProjectError):
                installation.run(parts, "orders", request, owner=f"run-{turn}-{n}")
    return parts.ledger.outcomes.all()


def issues(parts: Parts, outcome: Outcome) -> list[tuple[int, str | None, str, str | None]]:
    found = parts.tables.read("orders", "issues", outcome.sha256 or "").filter(pl.col("severity") == "error")
    return found.select("row_number", "column", "rule", "value").rows()


def test_times_that_senders_set(installation: Installation, api: ApiPeer) -> None:
    """None, long ago, far ahead, before 1970: each file once, and never again."""
    times = [0, -_DAY, 1, 4_000_000_000, int(time.time()) + 30 * 365 * _DAY, 86_400 * 365]
    for n, mtime in enumerate(times, start=1):
        path = installation.inbox / f"orders_{n}.csv"
        path.write_bytes(orders(order(n)))
        os.utime(path, (mtime, mtime))
    parts = installation.parts()
    outcomes = run_all(installation, parts)
    assert [o.state for o in outcomes] == ["done"] * len(times)
    installation.clock.advance(days=400)
    assert len(run_all(installation, parts)) == len(times)
    assert took(api) == numbers(*range(1, len(times) + 1))


def test_same_name_with_new_bytes_of_another_size(installation: Installation, api: ApiPeer) -> None:
    """No two are of one size: all may come within one second of the inbox's clock, and be told by their size alone."""
    parts = installation.parts()
    brought = ((1, 2), (1, 2, 3), (1, 2, 3, 4), (5,))
    for rows, new in zip(brought, (2, 1, 1, 1), strict=True):
        counts = run_orders(installation, parts, orders(*map(order, rows))).counts
        assert (counts.rows, counts.posted) == (len(rows), new)
    assert took(api) == numbers(1, 2, 3, 4, 5)
    kept = [p.read_bytes() for p in (installation.inbox / ".archive").rglob("orders*")]
    assert sorted(map(len, kept)) == sorted(len(orders(*map(order, rows))) for rows in brought)


def test_revision_is_never_silent(installation: Installation, api: ApiPeer, caplog: pytest.LogCaptureFixture) -> None:
    parts = installation.parts()
    run_orders(installation, parts, orders(order(1)))
    first = parts.ledger.outcomes.all()[0].partition
    assert "revision" not in caplog.messages
    run_orders(installation, parts, orders(order(1), order(2)))
    (record,) = [one for one in caplog.records if one.message == "revision"]
    assert record.fields["of"] == first  # type: ignore[attr-defined]
    second = parts.ledger.outcomes.all()[-1].partition
    (receive, *_) = [one for one in parts.ledger.steps.of_file("orders", second) if one.step == "receive"]
    assert receive.facts["revision of"] == first


def test_sender_who_paused_and_goes_on_writing_is_noticed(installation: Installation, api: ApiPeer) -> None:
    """Half a file that stood still was read; the rest went into the copy that we hold. It is told, and what is sent
    again whole takes effect once."""
    made = installation.rewrite("orders", files={"watch_seconds": 600}, source={"write_lease": False})
    parts, whole = made.parts(), orders(*map(order, range(1, 7)))
    path, half = made.inbox / "orders_1.csv", len(orders(*map(order, range(1, 4))))
    with path.open("wb", buffering=0) as sender:
        sender.write(whole[:half])
        made.run(parts, "orders", made.poll_until_ready(parts, "orders"))
        assert (outcome_of(parts, path.name).state, took(api)) == ("done", numbers(1, 2, 3))
        made.poll(parts, "orders")
        assert [p.name for p in (made.inbox / ".processing").iterdir()] != [], "it is watched"
        sender.write(whole[half:])
    made.clock.advance(seconds=600)
    loaded = made.feed("orders")
    (problem,) = asyncio.run(see(parts, loaded)).problems
    assert f"the sender wrote to orders_1.csv after it was read: {half} bytes then, {len(whole)} now" in problem
    assert [p.read_bytes() for p in (made.inbox / ".failed").iterdir()] == [whole]
    path.write_bytes(whole)
    made.run(parts, "orders", made.poll_until_ready(parts, "orders"), owner="run-2")
    assert took(api) == numbers(*range(1, 7))
    made.clock.advance(seconds=600)
    assert asyncio.run(see(parts, loaded)).problems == ()
    assert [p.read_bytes() for p in (made.inbox / ".archive").rglob("orders*")] == [whole]


def test_file_that_is_too_large_is_refused_unread(installation: Installation, api: ApiPeer) -> None:
    """A sparse one costs its sender nothing."""
    made = installation.rewrite("orders", files={"max_bytes": 1000})
    parts = made.parts()
    with (made.inbox / "orders_1.csv").open("wb") as large:
        large.truncate(1 << 30)
    (made.inbox / "orders_2.csv").write_bytes(orders(order(2)))
    found = {o.name: o for o in run_all(made, parts)}
    assert {name: one.state for name, one in found.items()} == {"orders_1.csv": "failed", "orders_2.csv": "done"}
    assert "the file has 1,073,741,824 bytes" in (found["orders_1.csv"].error or "")
    assert sum(path.stat().st_size for path in parts.landing.root.rglob("*") if path.is_file()) < 10_000
    assert [p.name for p in (made.inbox / ".failed").iterdir()] == ["orders_1.csv"]


def test_files_with_nothing_in_them(installation: Installation, api: ApiPeer) -> None:
    nothing = {
        "orders_0.csv": b"",
        "orders_1.csv": HEADER.encode(),
        "orders_2.csv": b"\xef\xbb\xbf",
        "orders_3.csv": b"\r\n\r\n",
        "orders_4.csv": b"\xef\xbb\xbf" + HEADER.encode(),
        "orders_5.csv": HEADER.strip().encode(),
    }
    for name, content in {**nothing, "orders_9.csv": orders(order(9))}.items():
        (installation.inbox / name).write_bytes(content)
    parts = installation.parts()
    found = {o.name: o for o in run_all(installation, parts)}
    assert {name: o.state for name, o in found.items()} == {
        "orders_0.csv": "failed",
        "orders_1.csv": "done",
        "orders_2.csv": "failed",
        "orders_3.csv": "failed",
        "orders_4.csv": "done",
        "orders_5.csv": "done",
        "orders_9.csv": "done",
    }
    assert all(o.error for o in found.values() if o.state == "failed")
    assert [found[name].counts.rows for name in nothing] == [0] * len(nothing)
    assert took(api) == numbers(9)
    assert installation.poll(parts, "orders") == ()


def test_overlapping_files_add_nothing_and_equal_rows_stay(installation: Installation, api: ApiPeer) -> None:
    """Three exports of a growing book: rows put in between, of earlier days too; two that are equal are two."""
    loose = [{"name": "customer"}, {"name": "ordered_on", "type": "date"}]
    loose += [{"name": "amount", "type": "decimal", "decimal_mark": ","}]
    installation = with_schema(installation, columns=loose)
    book = ["A;2026-11-18;5,10\n", "A;2026-11-18;5,10\n", "B;2026-11-19;7,25\n"]
    more = ["C;2026-11-17;1,05\n", book[0], "D;2026-11-18;2,00\n", book[1], book[2], "B;2026-11-19;7,25\n"]
    late = [more[4], "E;2026-11-01;0,40\n", *more]
    parts, posted = installation.parts(), []
    for n, rows in enumerate((book, more, [*more[::-1], "F;2026-11-20;3,30\n"], late), start=1):
        content = ("customer;ordered_on;amount\n" + "".join(rows)).encode()
        counts = run_orders(installation, parts, content, f"orders_{n}.csv").counts
        posted.append((counts.posted, counts.repeated))
        assert counts.posted + counts.repeated == len(rows)
    assert posted == [(3, 0), (3, 3), (1, 6), (2, 6)]
    wanted = Counter({"A": 2, "B": 3, "C": 1, "D": 1, "E": 1, "F": 1})
    assert Counter(body["customer"] for _, _, body in api.effects) == wanted
    whole = Decimal("5.10") * 2 + Decimal("7.25") * 3 + Decimal("1.05") + 2 + Decimal("0.40") + Decimal("3.30")
    assert sum(Decimal(body["amount"]) for _, _, body in api.effects) == whole


def test_file_that_is_there_twice_in_one(installation: Installation, api: ApiPeer) -> None:
    """No order twice: what may stand once is set aside, and so is the second header."""
    parts = installation.parts()
    once = orders(order(1), order(2))
    outcome = run_orders(installation, parts, once + once + order(3).encode())
    assert (outcome.counts.rows, outcome.counts.accepted, outcome.counts.quarantined) == (6, 1, 5)
    assert {number for number, *_ in issues(parts, outcome)} == {1, 2, 3, 4, 5}
    assert {rule for number, column, rule, _ in issues(parts, outcome) if number != 3} == {"unique"}
    assert took(api) == numbers(3)
    again = run_orders(installation, parts, orders(order(1), order(2), order(3)), "orders_2.csv")
    assert (again.state, max(took(api).values())) == ("done", 1)


@pytest.mark.parametrize("bad", [(1,), (5,), (9,), (1, 5, 9), (1, 3, 5, 7, 9), tuple(range(1, 10))])
def test_bad_rows_wherever_they_are(installation: Installation, api: ApiPeer, bad: tuple[int, ...]) -> None:
    parts = installation.parts()
    rows = [order(n, "none" if n in bad else "10,00") for n in range(1, 10)]
    outcome = run_orders(installation, parts, orders(*rows))
    assert (outcome.counts.quarantined, outcome.counts.posted) == (len(bad), 9 - len(bad))
    assert issues(parts, outcome) == [(n, "amount", "unreadable", "none") for n in bad]
    assert took(api) == numbers(*(n for n in range(1, 10) if n not in bad))
    if len(bad) == 9:
        assert api.calls == []


def test_delimiter_that_changes_half_way(installation: Installation, api: ApiPeer) -> None:
    """Rows with another delimiter are set aside whole; those after them are read."""
    parts = installation.parts()
    other = [order(3, "10.00").replace(";", ","), order(4).replace(";", "\t"), order(5).replace(";", "|")]
    outcome = run_orders(installation, parts, orders(order(1), order(2), *other, order(6)))
    assert (outcome.counts.rows, outcome.counts.quarantined, outcome.counts.posted) == (6, 3, 3)
    assert {number for number, *_ in issues(parts, outcome)} == {3, 4, 5}
    kept = parts.tables.read("orders", "quarantined", outcome.sha256 or "")
    assert kept["raw"].to_list() == [row.strip("\n") for row in other]
    assert took(api) == numbers(1, 2, 6)


def test_amounts_that_are_never_guessed(installation: Installation, api: ApiPeer) -> None:
    never = [
        "(12,00)",
        "12,00-",
        "- 12,00",
        "0," + "1" * 20,
        "NaN",
        "Inf",
        "-Infinity",
        "1e3",
        "1E3",
        "1 000,00",
        "1.000,00",
    ]
    never += [
        "12.00",
        "SEK 12",
        "12,00 kr",
        "１２,00",
        "٣,00",
        "0x10",
        "--1",
        "+-1",
        "1,",
        ",5",
        "−12,00",
        "1_000",
        "nil",
    ]
    parts = installation.parts()
    rows = [order(n, cell) for n, cell in enumerate(never, start=1)]
    outcome = run_orders(installation, parts, orders(*rows, order(90, "-0"), order(91, "+12,00"), order(92, "007,5")))
    assert outcome.counts.accepted == 2
    told = [(n, "amount", "unreadable", cell) for n, cell in enumerate(never, start=1)]
    assert issues(parts, outcome) == [*told, (len(never) + 1, "amount", "minimum", "-0")]
    assert {(b["order_id"], Decimal(b["amount"])) for _, _, b in api.effects} == {
        ("AB-000091", Decimal("12.00")),
        ("AB-000092", Decimal("7.50")),
    }


def test_xml_reads_nothing_from_elsewhere(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    """Entities of all kinds are refused with no connection made, and so is a huge attribute."""
    bank = installation.rewrite("bankgiro", format="sepa", files={"pattern": {"glob": "*.xml"}})
    parts = bank.parts()
    head, root = document(statement([entry("5.00", ref="R1")])).split(b"?>", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        kinds = [f'[<!ENTITY a SYSTEM "{url}">]', f'SYSTEM "{url}.dtd"', f'PUBLIC "-//x" "{url}.dtd"']
        kinds += [f'[<!ENTITY % p SYSTEM "{url}"> %p;]', "[<!ENTITY % p '<!ENTITY a \"b\">'> %p;]"]
        for n, kind in enumerate(kinds):
            armed = head + f"?><!DOCTYPE Document {kind}>".encode() + root.replace(b"<Id>S1", b"<Id>&a;S1")
            (sftp.root / "out" / f"{n}.xml").write_bytes(armed)
            with pytest.raises(ImportProjectError, match=r"document type|is not sepa"):
                bank.run(parts, "bankgiro", bank.poll_until_ready(parts, "bankgiro"))
            with pytest.raises(ImportProjectError, match="document type"):
                read("xml", f"<!DOCTYPE a {kind}><a><b>&a;</b></a>".encode())
        read("xml", f'<a xmlns="{url}"><b xml:base="{url}"><c>1</c></b></a>'.encode())
        with pytest.raises(TimeoutError):
            listener.accept()
    assert [o.state for o in parts.ledger.outcomes.all()] == ["failed"] * len(kinds)
    assert api.calls == []
    huge = "x" * (12 << 20)
    with pytest.raises(ImportProjectError, match=r"cannot be read: .{,150}$"):
        read("xml", f'<a><b no="{huge}"><c>1</c></b></a>'.encode())


def test_match_by_hand_stands(installation: Installation, sftp: SftpPeer, api: ApiPeer) -> None:
    """The rules would settle another invoice: run again, with that and more payments at hand, they leave it alone."""
    bank = Bank.open(installation, sftp, api)
    bank.bring(paid("60.00", ref="R1", account=ALICE))
    api.invoices = [
        invoice("A", "100234", "100.00", customer_id="c1", payer_accounts=[ALICE], due_on="2026-11-20"),
        invoice("B", "100235", "60.00", customer_id="c9"),
    ]
    loaded, one = bank.installation.feed("bankgiro"), bank.payments()["R1"]
    match_by_hand(
        bank.parts, loaded, one, [Wanted(invoice_id="B")], Hand(by="ann", note="phoned"), credit=False, owner="o"
    )
    bank.settle()
    decided, posted = bank.payments()["R1"], list(api.effects)
    first = bank.outcome("day1.xml")
    for turn in range(3):
        bank.installation.run(
            bank.parts, "bankgiro", Request(partition=first.partition, key="", name="day1.xml"), owner=f"again-{turn}"
        )
    bank.bring(paid("40.00", ref="R2", account=ALICE))
    bank.bring(paid("60.00", ref="R1", account=ALICE), paid("9.00", ref="R3"))
    assert bank.payments()["R1"] == decided
    assert (decided.decided_by, decided.reason) == ("ann", None)
    assert api.effects[: len(posted)] == posted
    settled = Counter(b["invoice_id"] for b in bank.posted("/payments"))
    assert settled == {"B": 1}
    assert [i["open_amount"] for i in api.invoices] == ["100.00", "0.00"]
    assert set(api.times().values()) == {1}
