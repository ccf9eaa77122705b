"""Payment groups of a BgMax file as the canonical payments frame. Control totals are proved in `totals`."""

import polars as pl

from import_project.formats.bgmax.layout import MEMBERS, PAYMENTS, cut
from import_project.formats.bgmax.repeats import KEY
from import_project.formats.canonical import canonical
from import_project.frames import MONEY, REFERENCE
from import_project.frames import PAYMENTS as COLUMNS

_EXTRA_RECORDS = ("22", "23")
_SHIFTED = 8  # records of a kind in one payment that are joined without grouping


def oere(name: str, *, negative: pl.Expr | None = None) -> pl.Expr:
    """Return an 18-digit amount in minor units as money; null where it is not 18 digits."""
    digits = pl.col(name)
    sign = pl.when(negative).then(pl.lit("-")).otherwise(pl.lit("")) if negative is not None else pl.lit("")
    text = pl.concat_str(sign, digits.str.slice(0, 16), pl.lit("."), digits.str.slice(16))
    return pl.when(digits.str.contains(r"^[0-9]{18}$")).then(text).cast(MONEY)


def without_zeros(name: str) -> pl.Expr:
    """Return a zero-filled number as text without its leading zeros; null where nothing is left."""
    return pl.col(name).str.strip_chars_start("0").replace("", None)


def grouped(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the records of payment groups with `group`, the row number of the 20 or 21 they belong to.

    `group` is null for a record that follows no payment of its own section.
    """
    record = pl.col("record")
    members = lines.filter(record.is_in(MEMBERS))
    is_payment = record.is_in(PAYMENTS)
    owner, its_section = (pl.when(is_payment).then(c).forward_fill() for c in ("row_number", "section"))
    return members.with_columns(group=pl.when(its_section == pl.col("section")).then(owner))


def extra_references(members: pl.DataFrame) -> pl.DataFrame:
    """Return the 22 and 23 records: `group`, `text`, `amount` (signed part, null when none), `readable`.

    A part has its payment's sign: what a 22 adds to a deduction (21) lowers the deposit.
    """
    deductions = members.filter(pl.col("record") == "21")["row_number"]
    amount = oere("amount", negative=(pl.col("record") == "23") != pl.col("group").is_in(deductions.implode()))
    blank = pl.col("amount").is_null()
    return cut(members, *_EXTRA_RECORDS).with_columns(
        text=pl.col("reference"),
        readable=blank | amount.is_not_null(),
        amount=pl.when(amount != 0).then(amount),
    )


def part_sums(extras: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Return the groups that have part amounts: `group`, `parts` (their sum), `amount`, `agree`."""
    sums = extras.filter(pl.col("amount").is_not_null() | ~pl.col("readable")).group_by("group", maintain_order=True)
    return (
        sums.agg(parts=pl.col("amount").sum(), readable=pl.col("readable").all())
        .join(payments.select(group="row_number", amount="amount"), on="group")
        .with_columns(agree=(pl.col("readable") & (pl.col("parts") == pl.col("amount"))).fill_null(value=False))
    )


def _references(extras: pl.DataFrame, payments: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Return `group` and `references`.

    A payment's own reference field counts when it is proved (code 2 or 4) or stands alone; otherwise it is the payer's
    text, whose good numbers Bankgirot repeats as 22 records. Part amounts count only where they add up.
    """
    disagree = parts.filter(~pl.col("agree")).get_column("group")
    given = extras.filter(pl.col("text").is_not_null() & pl.col("group").is_not_null()).select(
        "group",
        text="text",
        source=pl.lit("extra_reference"),
        amount=pl.when(~pl.col("group").is_in(disagree.implode())).then(pl.col("amount")),
    )
    own = (
        payments.filter(pl.col("reference").is_not_null())
        .select("code", group="row_number", text="reference", source=pl.lit("reference"), amount=pl.lit(None, MONEY))
        .join(given, on=["group", "text"], how="anti", maintain_order="left")
        .join(given.select("group", extra=True).unique(), on="group", how="left", maintain_order="left")
        .filter(pl.col("code").is_in(["2", "4"]) | pl.col("extra").is_null())
    )
    both = pl.concat([own.select(given.columns), given])
    item = pl.struct("text", "source", "amount").cast(REFERENCE)
    if not both["group"].is_duplicated().any():
        return both.sort("group").select("group", references=pl.concat_list(item))
    return both.group_by("group").agg(references=item).sort("group")


def _together(members: pl.DataFrame, text: pl.Expr, name: str, separator: str) -> pl.DataFrame:
    """Return `group` and one text of all its records, which stand behind each other; empty ones are left out."""
    rows = members.select("group", text=text).with_columns(pl.when(pl.col("text") != "").then("text").alias("text"))
    longest = int(rows.select(pl.col("group").rle().struct.field("len").max()).item() or 0)
    if longest > _SHIFTED:
        texts = pl.col("text").drop_nulls().str.join(separator)
        return rows.group_by("group", maintain_order=True).agg(pl.when(texts != "").then(texts).alias(name))
    group = pl.col("group")
    more = [pl.when(group.shift(-n) == group).then(pl.col("text").shift(-n)) for n in range(1, longest)]
    joined = pl.concat_str("text", *more, separator=separator, ignore_nulls=True) if more else pl.col("text")
    first = (group != group.shift(1)).fill_null(value=True)
    filled = pl.when(joined != "").then(joined)
    return rows.select("group", filled.alias(name), first=first).filter("first").drop("first")


def _joined(members: pl.DataFrame, record: str, name: str, *fields: str, separator: str = " ") -> pl.DataFrame:
    """Return `group` and the fields of all records of one kind in it as one text."""
    text = (
        pl.concat_str([pl.col(f) for f in fields], separator=" ", ignore_nulls=True)
        if fields[1:]
        else pl.col(fields[0])
    )
    own = members.filter(pl.col("record") == record)
    if own.is_empty():  # as most kinds are in most files
        return pl.DataFrame(schema={"group": pl.Int64, name: pl.String})
    return _together(cut(own, record), text, name, separator)


def _beside(payments: pl.DataFrame, detail: pl.DataFrame) -> pl.DataFrame:
    """Return the payments with a detail of their groups, which has at most one row for each and is in their order."""
    column = detail.drop("group")
    if detail.height == payments.height:
        return payments.with_columns(column)
    if not detail.height:
        return payments.with_columns(pl.lit(None, t).alias(n) for n, t in column.schema.items())
    return payments.join(detail, on="group", how="left", maintain_order="left")


def base_payments(members: pl.DataFrame) -> pl.DataFrame:
    """Return the 20 and 21 records with their fields, `amount` as signed money (null where unreadable)."""
    return cut(members, *PAYMENTS).with_columns(
        amount_text=pl.col("amount"), amount=oere("amount", negative=pl.col("record") == "21")
    )


def detailed(members: pl.DataFrame, payments: pl.DataFrame, extras: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Return the payments with all that their own groups say, in the names of the canonical columns; what holds for
    all of a section is missing.

    `transaction_code` is record, payment channel (1 bank, 2 supplier payments, 3 paper, 4 Autogiro) and, for a
    deduction, its code: "20/1", "21/2/0". Image flags are not kept.
    """
    members = members.filter(pl.col("group").is_not_null())
    raw = _together(members, pl.col("line"), "whole", "\n")["whole"]  # a payment each, in their order
    frame = payments.with_columns(raw, key=KEY, group="row_number").drop("raw")
    for detail in (
        _references(extras, payments, parts),
        _joined(members, "25", "texts", "text", separator="\n"),
        _joined(members, "26", "payer_name", "name", "extra_name"),
        _joined(members, "27", "street", "street", "postcode"),
        _joined(members, "28", "town", "town", "country", "country_code"),
        _joined(members, "29", "organisation", "organisation"),
    ):
        frame = _beside(frame, detail)
    texts = pl.concat_str(
        [pl.when(~pl.col("code").is_in(["2", "4"])).then("reference"), "texts"], separator="\n", ignore_nulls=True
    )
    address = pl.concat_str(["street", "town"], separator=", ", ignore_nulls=True)
    codes = pl.concat_str(
        ["record", "channel", pl.when(pl.col("record") == "21").then("deduction")], separator="/", ignore_nulls=True
    )
    return frame.select(
        "row_number",
        "key",
        statement="section",
        amount="amount",
        direction=pl.when(pl.col("record") == "21").then(pl.lit("debit")).otherwise(pl.lit("credit")),
        transaction_code=codes,
        bank_reference="serial",
        references=pl.col("references").fill_null([]),
        remittance=pl.when(texts != "").then(texts),
        payer_name="payer_name",
        payer_account=without_zeros("sender"),
        payer_id=without_zeros("organisation"),
        payer_address=pl.when(address != "").then(address),
        position=pl.format("line {}", "row_number"),
        raw="whole",
    )


def payments_frame(details: pl.DataFrame, sections: pl.DataFrame, occurrences: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical payments. `sections` says what holds for all of a section, `occurrences` how often a payment
    stood in it before."""
    frame = details.join(sections, left_on="statement", right_on="section", how="left", maintain_order="left")
    if occurrences.height:
        frame = frame.join(occurrences, on="row_number", how="left", maintain_order="left")
    else:
        frame = frame.with_columns(occurrence=pl.lit(0))
    identity = pl.concat_str("deposit_key", "key", pl.col("occurrence").fill_null(0), separator="|")
    given = {
        "identity": identity,
        "value_date": pl.col("booking_date"),
        "status": pl.lit("BOOK"),
        "reversal": pl.lit(value=False),
    }
    nothing = {n: pl.lit(None, t) for n, t in COLUMNS.items() if n not in {*frame.columns, *given}}
    return canonical(frame.with_columns(**given, **nothing))
