"""Payment groups of a BgMax file as the canonical payments frame. Control totals are proved in `totals`."""

import polars as pl

from import_project.formats.bgmax.layout import cut
from import_project.frames import MONEY, PAYMENTS, REFERENCE

_PAYMENT_RECORDS = ("20", "21")
_EXTRA_RECORDS = ("22", "23")


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
    members = lines.filter(record.is_in(["20", "21", "22", "23", "25", "26", "27", "28", "29"]))
    own = pl.when(record.is_in(_PAYMENT_RECORDS)).then(pl.col("row_number"))
    return members.with_columns(group=own.forward_fill().over("section"))


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
    return both.group_by("group", maintain_order=True).agg(references=item)


def _joined(members: pl.DataFrame, record: str, name: str, *fields: str, separator: str = " ") -> pl.DataFrame:
    """Return `group` and the fields of all records of one kind in it as one text."""
    text = pl.concat_str([pl.col(f) for f in fields], separator=" ", ignore_nulls=True)
    return (
        cut(members.filter(pl.col("group").is_not_null()), record)
        .group_by("group", maintain_order=True)
        .agg(text.filter(text != "").str.join(separator).replace("", None).alias(name))
    )


def base_payments(members: pl.DataFrame) -> pl.DataFrame:
    """Return the 20 and 21 records with their fields, `amount` as signed money (null where unreadable)."""
    return cut(members, *_PAYMENT_RECORDS).with_columns(
        amount_text=pl.col("amount"), amount=oere("amount", negative=pl.col("record") == "21")
    )


def payments_frame(
    members: pl.DataFrame, payments: pl.DataFrame, extras: pl.DataFrame, parts: pl.DataFrame, sections: pl.DataFrame
) -> pl.DataFrame:
    """Return the canonical payments of all groups, in file order.

    `transaction_code` is record, payment channel (1 bank, 2 supplier payments, 3 paper, 4 Autogiro) and, for a
    deduction, its code: "20/1", "21/2/0". Image flags are not kept.
    """
    raw = members.group_by("group", maintain_order=True).agg(raw=pl.col("line").str.strip_chars_end().str.join("\n"))
    address = [_joined(members, "27", "street", "street", "postcode")]
    address += [_joined(members, "28", "town", "town", "country", "country_code")]
    details = [
        _references(extras, payments, parts),
        _joined(members, "25", "texts", "text", separator="\n"),
        _joined(members, "26", "payer_name", "name", "extra_name"),
        _joined(members, "29", "organisation", "organisation"),
        *address,
        raw,
    ]
    frame = payments.drop("raw").with_columns(group="row_number")
    for detail in details:
        frame = frame.join(detail, on="group", how="left", maintain_order="left")
    frame = frame.join(sections, on="section", how="left", maintain_order="left")

    texts = pl.concat_str(
        [pl.when(~pl.col("code").is_in(["2", "4"])).then("reference"), "texts"], separator="\n", ignore_nulls=True
    )
    frame = frame.with_columns(
        key=pl.concat_str(
            pl.lit("bgmax"),
            *(pl.col(c).cast(pl.String).fill_null("") for c in ("receiver", "currency")),
            pl.col("booking_date").cast(pl.String).fill_null(""),
            *(
                pl.col(c).fill_null("")
                for c in ("deposit", "record", "sender", "reference", "amount_text", "code", "channel", "serial")
            ),
            separator="|",
        )
    )
    codes = pl.concat_str(
        ["record", "channel", pl.when(pl.col("record") == "21").then("deduction")], separator="/", ignore_nulls=True
    )
    return frame.select(
        "row_number",
        statement="section",
        identity=pl.concat_str("key", pl.int_range(pl.len()).over("key"), separator="|"),
        account="account",
        currency="currency",
        booking_date="booking_date",
        value_date="booking_date",
        amount="amount",
        direction=pl.when(pl.col("record") == "21").then(pl.lit("debit")).otherwise(pl.lit("credit")),
        status=pl.lit("BOOK"),
        reversal=pl.lit(value=False),
        transaction_code=codes,
        bank_reference="serial",
        entry=None,
        lump=None,
        end_to_end_id=pl.lit(None, pl.String),
        references=pl.col("references").fill_null([]),
        remittance=texts.replace("", None),
        payer_name="payer_name",
        payer_account=without_zeros("sender"),
        payer_id=without_zeros("organisation"),
        payer_address=pl.concat_str(["street", "town"], separator=", ", ignore_nulls=True).replace("", None),
        charges=None,
        original_currency=None,
        original_amount=None,
        exchange_rate=None,
        position=pl.format("line {}", "row_number"),
        raw="raw",
    ).select(pl.col(n).cast(t) for n, t in PAYMENTS.items())
