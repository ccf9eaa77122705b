"""Rules captured from Pandera schemas say the same as Pandera itself, row by row; what cannot be captured is left to it."""

from decimal import Decimal
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors, SchemaWarning

from import_project.errors import ConfigError
from import_project.records.issues import Severity
from import_project.validation.columns import Column
from import_project.validation.from_pandera import from_pandera
from import_project.validation.rules import compiled
from import_project.validation.schema import Limits, RowRule, RowSchema, condition_problem, empty_rows
from import_project_tests.validation.splitting import split_text

Reason = tuple[int, str | None, str]


def broken(split_issues: pl.DataFrame) -> set[Reason]:
    return set(split_issues.filter(pl.col("row_number").is_not_null()).select("row_number", "column", "rule").rows())


def by_pandera(values: pl.DataFrame, schema: pa.DataFrameSchema) -> set[Reason]:
    """What Pandera's own validation says of a typed frame: the oracle."""
    try:
        schema.validate(values, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return set()
    names = {"not_nullable": "required", "field_uniqueness": "unique", "multiple_fields_uniqueness": "key"}
    return {
        (
            int(case["index"]) + 1,
            case["column"] if case["schema_context"] == "Column" else None,
            names.get(case["check"], case["check"].partition("(")[0]),
        )
        for case in cases.iter_rows(named=True)
    }


class Orders(pa.DataFrameModel):
    order_id: str = pa.Field(unique=True, str_matches=r"^[A-Z]{2}-\d+$")
    amount: Annotated[pl.Decimal, 38, 2] = pa.Field(ge=Decimal("0.01"), metadata={"decimal_mark": ","})
    currency: str = pa.Field(isin=["SEK", "EUR"], raise_warning=True)
    items: pl.Int64 = pa.Field(nullable=True, in_range={"min_value": 1, "max_value": 9})
    day: pl.Date = pa.Field(metadata={"date_format": "%d.%m.%Y"})

    @pa.check("order_id", name="not_test")
    def no_test_order(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - Pandera's own shape
        return data.lazyframe.select(~pl.col(data.key).str.starts_with("ZZ"))

    @pa.check("items", element_wise=True, name="odd")
    def odd_items(cls, value: int) -> bool:  # noqa: N805
        return value % 2 == 1

    @pa.dataframe_check(name="small_in_euro")
    def small_in_euro(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805
        return data.lazyframe.select((pl.col("currency") != "EUR") | (pl.col("amount") < 100))

    class Config:
        metadata = {"quarantined_percent": 50}  # noqa: RUF012


class Unbuildable(pa.DataFrameModel):
    amount: pl.Decimal = pa.Field(dtype_kwargs={"precision": 38, "scale": 2})  # which Pandera 0.35 cannot make


TEXT = """order_id;amount;currency;items;day
AB-1;10,50;SEK;1;05.01.2026
AB-2;0,00;NOK;2;05.01.2026
AB-2;10,50;EUR;;05.01.2026
ZZ-3;100,00;EUR;3;2026-01-05
xAB-4;1.5;SEK;11;31.02.2026
"""


def test_a_model_of_the_users_own_is_the_schema() -> None:
    schema = from_pandera(Orders, "Orders")
    split = split_text(TEXT.encode(), schema)
    assert schema.limits == Limits(percent=50)
    assert split.accepted["order_id"].to_list() == ["AB-1"]
    assert split.accepted.schema["amount"] == pl.Decimal(38, 2)
    errors = split.issues.filter(pl.col("severity") == "error")
    assert broken(errors) == {
        (2, "amount", "greater_than_or_equal_to"),
        (2, "items", "odd"),
        (2, "order_id", "unique"),
        (3, "order_id", "unique"),
        (4, "order_id", "not_test"),
        (4, None, "small_in_euro"),
        (4, "day", "unreadable"),
        (5, "amount", "unreadable"),
        (5, "items", "in_range"),
        (5, "day", "unreadable"),
        (5, "order_id", "str_matches"),
    }
    assert broken(split.issues.filter(pl.col("severity") == "warning")) == {(2, "currency", "isin")}


cells = st.sampled_from(["AB-1", "AB-2", "ZZ-9", "", "b"])
rows = st.lists(
    st.tuples(
        cells, st.sampled_from(["SEK", "EUR", "x"]), st.sampled_from([None, 1, 2, 3, 12]), st.decimals(0, 200, places=2)
    ),
    max_size=12,
)


def generic_schema() -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            "id": pa.Column(
                pl.String,
                [
                    pa.Check.str_startswith("A"),
                    pa.Check.str_length(min_value=2, max_value=4),
                    pa.Check.str_contains("-"),
                ],
                unique=True,
            ),
            "cur": pa.Column(pl.String, [pa.Check.isin(["SEK", "EUR"]), pa.Check.ne("EUR"), pa.Check.notin(["x"])]),
            "n": pa.Column(pl.Int64, [pa.Check.lt(10), pa.Check.ne(2), pa.Check.in_range(1, 5)], nullable=True),
            "amount": pa.Column(pl.Decimal(38, 2), [pa.Check.ge(Decimal(1)), pa.Check.le(Decimal(150))]),
        },
        checks=[pa.Check(lambda data: data.lazyframe.select(pl.col("amount") > pl.col("n")), name="more")],
    )


@settings(max_examples=60)
@given(rows)
def test_captured_rules_say_what_pandera_says(found: list[tuple[Any, ...]]) -> None:
    schema = from_pandera(generic_schema(), "generic")
    text = "id;cur;n;amount\n" + "".join(f'"{i}";{c};{"" if n is None else n};{a}\n' for i, c, n, a in found)
    split = split_text(text.encode(), schema, delimiter=";")
    frame = pl.DataFrame(
        {
            "id": pl.Series([i or None for i, *_ in found], dtype=pl.String),
            "cur": pl.Series([c for _, c, *_ in found], dtype=pl.String),
            "n": pl.Series([n for _, _, n, _ in found], dtype=pl.Int64),
            "amount": pl.Series([a for *_, a in found], dtype=pl.Decimal(38, 2)),
        }
    )
    oracle = by_pandera(frame, generic_schema()) if found else set()
    nulls = {(n + 1, "id", "unique") for n in frame["id"].is_null().arg_true()}  # two empty cells are no duplicates
    assert broken(split.issues) == oracle - nulls


def test_rules_about_the_whole_file_are_held_against_the_whole_file() -> None:
    given = pa.DataFrameSchema(
        {
            "n": pa.Column(
                pl.Int64, pa.Check(lambda d: d.lazyframe.select(pl.col(d.key) < pl.col(d.key).mean() * 2), name="near")
            )
        }
    )
    schema = from_pandera(given, "t")
    (rule,) = compiled(schema).of_file
    assert rule.name == "near"
    body = "n;x\n" + "".join(f"{n};.\n" for n in [1, 1, 1, 1, 50])
    for kept in (0, 1 << 30):
        split = split_text(body.encode(), schema, rows={"kept_bytes": kept})
        assert broken(split.issues) == {(5, "n", "near")}


def test_checks_that_cannot_be_captured_are_run_by_pandera_itself() -> None:
    def collects(data: pa.PolarsData) -> pl.LazyFrame:
        total = data.lazyframe.collect()["n"].sum()
        return data.lazyframe.select(pl.col("n") * 2 <= total)

    schema = from_pandera(pa.DataFrameSchema({"n": pa.Column(pl.Int64, pa.Check(collects, name="half"))}), "t")
    (rule,) = compiled(schema).of_file
    assert rule.bad is None
    assert broken(split_text(b"n;x\n1;.\n2;.\n9;.\n", schema).issues) == {(3, "n", "half")}


def test_what_pandera_keeps_inside_is_where_we_look_for_it() -> None:
    check = pa.Check.ge(5, name="least", error="told", raise_warning=True)
    assert callable(check._check_fn)
    assert check._check_kwargs == {"min_value": 5}
    with pytest.warns(SchemaWarning):
        pa.DataFrameSchema({"n": pa.Column(pl.Int64, check)}).validate(pl.DataFrame({"n": [1]}), lazy=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (pa.DataFrameSchema({"a": pa.Column(pl.Float32)}), "a column of Float32 is not read"),
        (pa.DataFrameSchema({"a": pa.Column(pl.String, regex=True)}), "regex is not known"),
        (pa.DataFrameSchema({"a": pa.Column(pl.String, metadata={"colour": 1})}), "metadata colour is not known"),
        (pa.DataFrameSchema({"a": pa.Column(pl.String)}, ordered=True), "ordered is not known"),
        (pa.DataFrameSchema({"a": pa.Column(pl.String)}, strict="filter"), "strict='filter' is not known"),
        (pa.DataFrameSchema({"raw": pa.Column(pl.String)}), "'raw' cannot be a column's name"),
        (pa.DataFrameSchema({"a": pa.Column(pl.Date, metadata={"date_format": "%d"})}), "does not tell one day"),
        (object(), "is no Pandera schema"),
        (Unbuildable, "cannot be used: TypeError"),
    ],
)
def test_what_would_be_silently_left_out_is_refused(given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        from_pandera(given, "t")


def test_rules_that_cannot_work_are_told_before_any_file() -> None:
    wrong = pa.DataFrameSchema({"a": pa.Column(pl.Date, pa.Check.str_matches("x"))})
    with pytest.raises(ConfigError, match="rule str_matches of a cannot be used"):
        compiled(from_pandera(wrong, "t"))
    look_around = pa.DataFrameSchema({"a": pa.Column(pl.String, pa.Check(lambda d: d.lazyframe.select(pl.lit("x"))))})
    with pytest.raises(ConfigError, match="gives no yes or no"):
        compiled(from_pandera(look_around, "t"))


DAYS = (
    Column(name="start", type="date"),
    Column(name="end", type="date", required=False),
    Column(name="n", type="integer"),
)


def test_rules_across_columns() -> None:
    rules = (
        RowRule(name="order", must='"end" >= start', message="ends before it starts"),
        RowRule(name="few", must="n < 5", message="many", severity=Severity.WARNING),
    )
    schema = RowSchema(name="t", columns=DAYS, rules=rules)
    text = b"start;end;n\n2026-01-02;2026-01-01;1\n2026-01-02;;9\n2026-01-02;x;1\n"
    split = split_text(text, schema)
    assert split.issues.select("row_number", "rule", "message", "severity").rows() == [
        (1, "order", "ends before it starts", "error"),
        (2, "few", "many", "warning"),
        (3, "unreadable", "cannot be read as date (%Y-%m-%d)", "error"),
    ]
    assert split.accepted["row_number"].to_list() == [2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gone > 1", "cannot be used"),
        ("n +", "cannot be used"),
        ("n + 1", "is no condition"),
        ("n > 'x' AND", "cannot be used"),
        ("n > SUM(n)", "looks at more than one row"),
        ("ROW_NUMBER() OVER () > 1", "looks at more than one row"),
    ],
)
def test_conditions_that_cannot_be_used(text: str, told: str) -> None:
    assert told in (condition_problem(text, empty_rows(DAYS)) or "")
    assert condition_problem("n > 1 AND start < DATE '2026-01-01'", empty_rows(DAYS)) is None


@pytest.mark.parametrize(
    ("limits", "quarantined", "rows", "told"),
    [
        (Limits(percent=5), 5, 100, None),
        (Limits(percent=5), 6, 100, "6 of 100 rows (6.0 %) are quarantined, more than 5 %"),
        (Limits(rows=2), 3, 1000, "3 of 1,000 rows are quarantined, more than 2"),
        (Limits(percent=0), 0, 0, None),
        (Limits(), 100, 100, None),
    ],
)
def test_limits(limits: Limits, quarantined: int, rows: int, told: str | None) -> None:
    assert limits.broken_by(quarantined, rows) == told


def test_warnings_of_every_kind_quarantine_nothing() -> None:
    warn = dict.fromkeys(("unreadable", "required", "unique", "minimum"), Severity.WARNING)
    schema = RowSchema(
        name="t",
        columns=(Column(name="n", type="integer", unique=True, minimum=Decimal(5), severity=warn), Column(name="x")),
    )
    split = split_text(b"n;x\n1;.\n1;.\nq;.\n;.\n", schema)
    assert split.accepted["n"].to_list() == [1, 1, None, None]
    assert set(split.issues["severity"]) == {"warning"}
    assert {r for _, _, r in broken(split.issues)} == {"minimum", "unique", "unreadable", "required"}


def test_checks_over_all_columns_see_those_of_the_schema_and_no_others() -> None:
    everything = pa.Check(lambda d: d.lazyframe.select(pl.all_horizontal(pl.all().is_not_null())), name="full")
    each = pa.Check(lambda d: d.lazyframe.select(pl.col("a", "b") >= 2), name="each")
    columns = {"a": pa.Column(pl.Int64, nullable=True), "b": pa.Column(pl.Int64, nullable=True)}
    schema = from_pandera(pa.DataFrameSchema(columns, checks=[everything]), "t")
    assert broken(split_text(b"a,b,c\n1,,x\n2,3,x\n", schema).issues) == {(1, None, "full")}
    assert compiled(from_pandera(pa.DataFrameSchema(columns, checks=[each]), "t")).of_file[0].bad is None


@pytest.mark.parametrize(
    ("must", "refused"),
    [("price * n >= 10", [1]), ("price > 0.5", []), ("n IN (1, 2)", [2]), ("n % 2 = 1", [2]), ("price / n > 1", [2])],
)
def test_sums_and_lists_may_stand_in_rules(must: str, refused: list[int]) -> None:
    columns = (Column(name="price", type="decimal"), Column(name="n", type="integer"))
    schema = RowSchema(name="t", columns=columns, rules=(RowRule(name="r", must=must, message="no"),))
    split = split_text(b"price;n\n3.00;1\n3.00;4\n", schema)
    assert split.quarantined["row_number"].to_list() == refused


def test_rule_that_a_value_makes_fail_is_named() -> None:
    rule = RowRule(name="code", must="CAST(code AS INTEGER) > 5", message="no")
    schema = RowSchema(name="t", columns=(Column(name="code"), Column(name="x")), rules=(rule,))
    with pytest.raises(ConfigError, match="rule code of the row failed on these rows: InvalidOperationError"):
        split_text(b"code;x\nabc;1\n", schema)
