"""Quarantined rows: exported, corrected, replayed; each keeps its number, identity and key, and counts in its file."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.config.load import LoadedFeed
from import_project.errors import ApiUnavailable, ConfigError, FileRefused
from import_project.frames import issues_frame
from import_project.pipeline.corrections import read_corrected, write_quarantined
from import_project.pipeline.identity import subject
from import_project.pipeline.parts import Parts
from import_project.pipeline.quarantine import Replay, waiting_rows
from import_project.pipeline.replay import replay
from import_project.pipeline.steps import run_file
from import_project.records.issues import Issue
from import_project.records.outcomes import Outcome
from import_project.store.ledger.decisions import posting_key
from import_project_tests.http_servers import ApiPeer
from import_project_tests.installation import Installation
from import_project_tests.pipeline.drops import drop_bgmax
from import_project_tests.pipeline.row_feeds import order, orders, outcome_of, run_orders, without_column_rules
from import_project_tests.servers import SftpPeer

BAD = orders(order(1), order(2, "x"), order(3, currency="USD"), "torn;line\n", order(5))


def rows(*given: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(given)).with_columns(pl.col("row_number").cast(pl.Int64))


def mended(parts: Parts, outcome: Outcome, cells: dict[int, dict[str, str | None]]) -> pl.DataFrame:
    """Waiting rows with other cells, as they come back from an export."""
    waiting = waiting_rows(parts, "orders", outcome.sha256 or "").drop("identity", "raw")
    kept = [row for row in waiting.iter_rows(named=True) if row["row_number"] in cells]
    return pl.DataFrame([row | cells[row["row_number"]] for row in kept], schema=waiting.schema)


def replayed(
    parts: Parts, loaded: LoadedFeed, outcome: Outcome, given: pl.DataFrame | None, owner: str = "replay-1"
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    left: list[pl.DataFrame] = []
    facts = replay(parts, loaded, outcome, Replay(rows=given, by="ann", told=left.append), owner=owner)
    return facts, [row for frame in left for row in frame.select("row_number", "rule").rows()]


def identity(parts: Parts, outcome: Outcome, row: int) -> str:
    table = parts.tables.read("orders", "quarantined", outcome.sha256 or "")
    return str(table.filter(pl.col("row_number") == row)["identity"][0])


def test_corrected_rows_are_posted_under_their_own_key_and_counted_in_their_file(
    installation: Installation, api: ApiPeer
) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    assert (before.counts.rows, before.counts.quarantined, before.counts.posted) == (5, 3, 2)
    loaded = installation.feed("orders")
    facts, left = replayed(
        parts, loaded, before, mended(parts, before, {2: {"amount": "12,50"}, 3: {"currency": "XYZ"}})
    )
    assert facts == {"replayed": 1, "still quarantined": 2, "cells changed": 1, "rejected": 0}
    assert left == [(3, "choices")]
    counts = outcome_of(parts, "orders_1.csv").counts
    assert (counts.rows, counts.accepted, counts.quarantined, counts.replayed, counts.posted) == (5, 3, 2, 1, 3)
    assert api.effects[-1][0] == posting_key("orders", subject(identity(parts, before, 2)), 0)
    assert api.effects[-1][2]["amount"] == "12.50"
    assert waiting_rows(parts, "orders", before.sha256 or "")["row_number"].to_list() == [3, 4]
    changed = parts.tables.read("orders", "corrections", before.sha256 or "")
    assert changed.drop("corrected_at").rows() == [(2, "amount", "x", "12,50", "ann")]
    whole = {"row_number": 4, "order_id": "AB-000004", "customer": "C", "ordered_on": "2026-11-20"}
    facts, left = replayed(parts, loaded, before, rows({**whole, "amount": "1,00", "currency": "EUR", "items": None}))
    assert (facts["replayed"], left) == (1, [])
    assert outcome_of(parts, "orders_1.csv").counts.posted == 4
    assert len(api.calls) == 4


def test_rows_pass_as_they_are_once_the_schema_is_mended(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    loaded = without_column_rules(installation.feed("orders"), "currency", choices=("SEK", "USD"))
    facts, left = replayed(parts, loaded, before, None)
    assert facts["replayed"] == 1
    assert {number for number, _ in left} == {2, 4}
    assert api.effects[-1][2]["currency"] == "USD"
    assert facts["cells changed"] == 0


def test_partition_may_be_run_again_after_a_replay(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    replayed(parts, installation.feed("orders"), before, rows({"row_number": 2, "amount": "1,00"}))
    after = outcome_of(parts, "orders_1.csv")
    run_file(parts, installation.feed("orders"), before.partition, owner="run-2")
    assert outcome_of(parts, "orders_1.csv") == after
    assert len(api.calls) == 3


def test_sender_who_corrects_the_row_as_well_is_not_posted_twice(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    replayed(parts, installation.feed("orders"), before, rows({"row_number": 2, "amount": "12,50"}))
    again = run_orders(installation, parts, orders(order(1), order(2, "12,50"), order(9)), "orders_2.csv")
    assert (again.counts.posted, again.counts.repeated) == (1, 2)
    assert [b["order_id"] for _, _, b in api.effects].count("AB-000002") == 1


def test_row_that_the_sender_corrected_first_is_repeated(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    run_orders(installation, parts, orders(order(2, "12,50")), "orders_2.csv")
    facts, _ = replayed(parts, installation.feed("orders"), before, rows({"row_number": 2, "amount": "12,50"}))
    assert facts["replayed"] == 1
    counts = outcome_of(parts, "orders_1.csv").counts
    assert (counts.posted, counts.repeated, counts.quarantined, counts.replayed) == (2, 1, 2, 1)
    assert [b["order_id"] for _, _, b in api.effects].count("AB-000002") == 1


def test_what_may_stand_once_is_looked_for_among_all_rows_of_the_file(installation: Installation) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, orders(order(1), order(2), order(2), order(3, "x"), order(4, "x")))
    loaded = installation.feed("orders")
    taken = mended(parts, before, {4: {"order_id": "AB-000001", "amount": "1,00"}, 2: {}, 3: {}})
    facts, left = replayed(parts, loaded, before, taken)
    assert facts["replayed"] == 0
    assert left == [(2, "unique"), (3, "unique"), (4, "unique")]
    facts, left = replayed(parts, loaded, before, rows({"row_number": 2}))
    assert (facts["replayed"], left) == (1, [])
    facts, left = replayed(parts, loaded, before, rows({"row_number": 3}))
    assert left == [(3, "unique")]


def test_what_the_format_found_wrong_stays_wrong_until_it_is_changed(installation: Installation) -> None:
    parts = installation.parts()
    spoiled = orders(order(1), order(2).replace("Customer 2", "Cust\x07omer"), "a;b\n", order(4, "x"))
    before = run_orders(installation, parts, spoiled)
    assert before.counts.quarantined == 3
    loaded = installation.feed("orders")
    assert loaded.schema is not None
    lax = replace(loaded.schema, columns=tuple(replace(c, required=False) for c in loaded.schema.columns))
    facts, left = replayed(parts, replace(loaded, schema=lax), before, None)
    assert facts["replayed"] == 0
    assert {(2, "control_character"), (3, "field_count"), (4, "unreadable")} == set(left)
    other = mended(parts, before, {2: {"amount": "1,00"}, 4: {"amount": "1,00", "customer": "\x07"}})
    assert set(replayed(parts, loaded, before, other)[1]) == {(2, "control_character"), (4, "control_character")}
    facts, left = replayed(parts, loaded, before, mended(parts, before, {2: {"customer": "Customer"}}))
    assert (facts["replayed"], left) == (1, [])


def test_replay_that_is_cut_off_goes_on(installation: Installation, api: ApiPeer) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    api.mode = "apply_then_fail"
    with pytest.raises(ApiUnavailable):
        replayed(parts, installation.feed("orders"), before, rows({"row_number": 2, "amount": "12,50"}))
    api.mode = "ok"
    facts, _ = replayed(
        parts, installation.feed("orders"), before, rows({"row_number": 3, "currency": "EUR"}), "replay-2"
    )
    assert facts["replayed"] == 1
    assert outcome_of(parts, "orders_1.csv").counts.posted == 4
    assert set(api.times().values()) == {1}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (rows({"row_number": 1, "amount": "1,00"}), "row 1 is not quarantined"),
        (rows({"row_number": 99}), "row 99 is not quarantined"),
        (rows({"row_number": 2}, {"row_number": 2}), "row 2 stands twice"),
        (rows({"row_number": 2, "amont": "1,00"}), "the file has no column 'amont'"),
    ],
)
def test_rows_that_do_not_wait(installation: Installation, given: pl.DataFrame, told: str) -> None:
    parts = installation.parts()
    before = run_orders(installation, parts, BAD)
    with pytest.raises(ConfigError, match=told):
        replayed(parts, installation.feed("orders"), before, given)
    assert outcome_of(parts, "orders_1.csv").counts == before.counts


def test_payments_and_refused_files_are_not_replayed(installation: Installation, sftp: SftpPeer) -> None:
    drop_bgmax(sftp)
    parts = installation.parts()
    request = installation.poll_until_ready(parts, "bankgiro")
    installation.run(parts, "bankgiro", request)
    (outcome,) = parts.ledger.outcomes.all()
    with pytest.raises(ConfigError, match="payments are not corrected here"):
        replayed(parts, installation.feed("bankgiro"), outcome, None)
    with pytest.raises(ConfigError, match="is failed, not done"):
        replayed(parts, installation.feed("bankgiro"), replace(outcome, state="failed"), None)


# --- files of quarantined rows ---

#: Characters of private use stand for bytes that are no text, and set their row aside.
cell = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Co", "Cs"]), min_size=1, max_size=8).filter(
        str.strip
    ),
    st.sampled_from(
        [
            "=1+1",
            "+1",
            "-1.234,56",
            "-1",
            "@x",
            "'=a",
            "''",
            "'",
            "\t=1",
            ";'=1;=1",
            "a\t'@\"-;-",
            "＝1",
            "=cmd|'/c calc'!A0",
            "-2+3",
        ]
    ),
)


@settings(max_examples=80)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=6), st.sampled_from([".csv", ".xlsx"]))
def test_what_is_exported_is_what_is_read_back(tmp_path_factory: Any, cells: list[Any], kind: str) -> None:
    table = rows(*({"row_number": n, "a": a, "b": b} for n, (a, b) in enumerate(cells, start=1)))
    table = table.with_columns(pl.col("a", "b").cast(pl.String), pl.lit(None, pl.String).alias("raw"))
    path = tmp_path_factory.mktemp("export") / f"rows{kind}"
    issues = issues_frame([Issue(rule="required", message="a value is required", row_number=1, column="a")])
    write_quarantined(path, table.with_columns(identity=pl.lit("x")), issues)
    back = read_corrected(path)
    plain = {"\r\n": "\n", "\r": "\n"}

    def same(value: str | None) -> str | None:
        for old, new in plain.items():
            value = value.replace(old, new) if value else value
        return value or None

    assert back["row_number"].to_list() == table["row_number"].to_list()
    for column in ("a", "b"):
        assert [same(v) for v in back[column]] == [same(v) for v in table[column]], path
    assert back["reasons"][0] == "a a value is required"


def test_no_cell_of_an_export_is_a_formula(tmp_path: Path) -> None:
    dangerous = ["=1+1", "+SUM(A1)", "-2+3", "@x", '=HYPERLINK("x")']
    within = ["\t=1", "\r=1", "1;=1", 'x;"=HYPERLINK(1)"', "Ann\n=cmd|' /C calc'!A0", "a\t\u00a0＠x;-1+1"]
    harmless = ["-1.234,56", "+5", "-1 000", "a=b", "-1'000.50"]
    table = rows(*({"row_number": n, "a": a} for n, a in enumerate([*dangerous, *within, *harmless], start=1)))
    write_quarantined(tmp_path / "x.csv", table, issues_frame([]))
    text = (tmp_path / "x.csv").read_bytes().decode("utf-8-sig")
    for one in dangerous:
        quoted = one.replace('"', '""')
        assert f"'{quoted}" in text
    for one in harmless:
        assert f"'{one}" not in text
    for separator in ",;\t":  # whatever a spreadsheet takes for the end of a cell, or of a line
        cells = re.split(rf"[{separator}\r\n]", text.replace('"', ""))
        begun = {cell.strip(" \u00a0")[:1] for cell in cells if not re.fullmatch(r"[+-][0-9].*", cell)}
        assert begun.isdisjoint("=+-@＝＋－＠"), separator
    assert read_corrected(tmp_path / "x.csv")["a"].to_list() == table["a"].to_list()
    write_quarantined(tmp_path / "x.xlsx", table, issues_frame([]))
    import fastexcel

    sheet = fastexcel.read_excel(tmp_path / "x.xlsx").load_sheet(0, dtypes="string")
    assert sheet.to_polars()["a"].to_list() == table["a"].to_list()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.csv", b"a,b\n1,2\n", "has no column row_number"),
        ("x.csv", b"row_number,b\nq,2\n", "row_number is no number in line 1"),
        ("x.csv", b"row_number,b\n1\n", "field_count"),
        ("x.xlsx", b"no workbook", "the workbook"),
    ],
)
def test_files_that_are_no_corrections(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ConfigError, FileRefused), match=told):
        read_corrected(tmp_path / name)


def test_exports_are_csv_or_xlsx(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither .csv nor .xlsx"):
        write_quarantined(tmp_path / "x.txt", rows({"row_number": 1, "a": "b"}), issues_frame([]))
    with pytest.raises(ConfigError, match="more than a sheet can hold"):
        write_quarantined(tmp_path / "x.xlsx", rows({"row_number": 1, "a": "b" * 40_000}), issues_frame([]))
    assert list(tmp_path.iterdir()) == []
