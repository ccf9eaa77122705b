"""A drafted schema holds for the sample it was drafted from, and asks where two readings fit."""

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from import_project.cli.draft import as_yaml
from import_project.config.schemas import Schema
from import_project.validation.draft import Drafted, draft
from import_project_tests.validation.splitting import split_text


def drafted(*cells: str, times: int = 1) -> Drafted:
    rows = list(cells) * times
    (column,) = draft([pl.DataFrame({"row_number": range(1, len(rows) + 1), "c": rows, "raw": [None] * len(rows)})])
    return column


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        (["1", "-2"], {"type": "integer"}),
        (["007", "8"], {}),
        (["1.5", "2"], {"type": "decimal"}),
        (["1.2345", "2"], {"type": "decimal", "scale": 4}),
        (["1,5", "12"], {"type": "decimal", "decimal_mark": ","}),
        (["1.234,56", "5,00"], {"type": "decimal", "decimal_mark": ",", "group_mark": "."}),
        (["2026-01-31"], {"type": "date"}),
        (["31.01.2026"], {"type": "date", "date_format": "%d.%m.%Y"}),
        (["01/31/2026"], {"type": "date", "date_format": "%m/%d/%Y"}),
        (["2026-01-31T07:30:00"], {"type": "datetime"}),
        (["true", "False"], {"type": "boolean"}),
        (["12345678", "87654321"], {"type": "integer"}),
        (["20260131", "20260201"], {"type": "date", "date_format": "%Y%m%d"}),
        (["a", "2026-01-31"], {}),
        (["a", ""], {"required": False}),
    ],
)
def test_what_cells_have_in_common(cells: list[str], keys: dict[str, object]) -> None:
    column = drafted(*cells)
    assert column.keys() == {"name": "c", **keys}
    assert column.doubts == []


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["01/02/2026"], "is it %d/%m/%Y or %m/%d/%Y?"),
        (["1.234", "5.678"], "is it decimal_mark '.' or decimal_mark ',' with group_mark '.'?"),
        (["", ""], "no cell of the sample is filled"),
    ],
)
def test_doubts_are_told_and_the_column_stays_text(cells: list[str], told: str) -> None:
    column = drafted(*cells)
    assert column.keys().get("type") is None
    assert told in column.doubts[0]


def test_few_values_are_choices_and_ids_are_unique() -> None:
    assert drafted("SEK", "EUR", times=20).keys()["choices"] == ["EUR", "SEK"]
    assert drafted(*(f"A{i}" for i in range(30))).keys() == {"name": "c", "unique": True}


cells = st.sampled_from(["1", "2.5", "2,5", "1.234,56", "2026-01-05", "05.01.2026", "true", "", "x", "007", "1e3"])


@settings(max_examples=60)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=30))
def test_a_draft_accepts_the_rows_it_was_drafted_from(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame({"a": [a for a, _ in rows], "b": [b for _, b in rows], "raw": [None] * len(rows)})
    halves = [frame.head(len(rows) // 2), frame.tail(len(rows) - len(rows) // 2)]
    text = as_yaml("sample", "delimited", draft(halves))
    schema = Schema.model_validate(yaml.safe_load(text)).row_schema()
    body = "a;b;c\n" + "".join(f"{a};{b};.\n" for a, b in rows)
    split = split_text(body.encode(), schema, delimiter=";")
    assert split.quarantined.height == 0
    assert split.accepted.height == len(rows)
