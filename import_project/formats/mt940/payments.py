"""Statement lines of MT940 and MT942 with the information that follows them, as canonical payments. No sums."""

import polars as pl

from import_project.formats.canonical import canonical
from import_project.formats.mt940.details import Details, details
from import_project.formats.mt940.lines import statement_lines
from import_project.formats.payment_rows import Occurrences
from import_project.frames import MONEY, PAYMENTS, REFERENCE

#: Fields that tell of the line before them.
TOLD = ("86", "NS")


def payment_rows(some: pl.DataFrame) -> pl.DataFrame:
    """Return the statement lines, each with what they say, `text` of the information that follows, and `raw`.

    What follows a balance belongs to the statement, not to a line.
    """
    tag = pl.col("tag")
    place = pl.when(tag == "61").then(pl.int_range(pl.len())).when(~tag.is_in(TOLD)).then(-1).forward_fill()
    of_message = pl.when(tag == "61").then("message").forward_fill()
    owned = some.with_columns(place=pl.when(of_message == pl.col("message")).then(place)).filter(pl.col("place") >= 0)
    written = pl.format(":{}:{}", "tag", "value")
    lines = owned.filter(tag == "61")
    informed = owned.filter(tag != "61").with_columns(written=written)
    first, others = pl.col("value").filter(tag == "86"), pl.col("value")
    told = informed.group_by("place", maintain_order=True).agg(
        text=pl.when((tag == "86").any()).then(first.str.join("\n")).otherwise(others.str.join("\n")),
        more=pl.col("written").str.join("\n"),
    )
    lines = lines.with_columns(written=written).join(told, on="place", how="left", maintain_order="left")
    lines = lines.with_columns(
        pl.col("text").fill_null(""), raw=pl.concat_str("written", "more", separator="\n", ignore_nulls=True)
    )
    said = [details(text) for text in lines["text"]]
    columns = list(zip(*said, strict=True)) or [()] * len(Details._fields)
    of_details = [pl.Series(f"said_{n}", c, dtype=pl.String) for n, c in zip(Details._fields, columns, strict=True)]
    return lines.hstack(statement_lines(lines["value"])).with_columns(of_details)


def payments_frame(rows: pl.DataFrame, occurrences: Occurrences) -> pl.DataFrame:
    """Return such lines as canonical payments; beside them stand `account`, `currency` and `day` of their messages."""
    booking = pl.coalesce("booking_date", "value_date", "day")
    told = ("currency", booking, "amount", "code", "bank", "customer", "supplement", "text")
    said = [(pl.col(t) if isinstance(t, str) else t).cast(pl.String).fill_null("") for t in told]
    account = pl.concat_str(pl.lit("mt940"), pl.col("account").fill_null(""), separator="|")
    key = pl.when("read").then(pl.concat_str(account, *said, separator="|"))
    frame = rows.with_columns(key=key.otherwise(pl.concat_str(account, "value", separator="|")))
    again = occurrences.of(frame["key"])
    customer = pl.when(~pl.col("customer").str.ends_with("+")).then("customer")  # KREF+ says that it stands in :86:
    columns = {
        "row_number": pl.col("line"),
        "statement": pl.col("message"),
        "identity": pl.concat_str("key", again, separator="|"),
        "account": pl.col("account"),
        "currency": pl.col("currency"),
        "booking_date": booking,
        "value_date": pl.col("value_date"),
        "amount": (pl.col("amount").cast(MONEY) / 100).cast(MONEY),
        "direction": pl.when(pl.col("amount") < 0).then(pl.lit("debit")).otherwise(pl.lit("credit")),
        "status": pl.when("expected").then(pl.lit("PDNG")).otherwise(pl.lit("BOOK")),
        "reversal": pl.col("reversal"),
        "transaction_code": pl.col("code"),
        "bank_reference": pl.col("bank"),
        "end_to_end_id": pl.col("said_end_to_end_id"),
        "references": _references(pl.col("said_reference"), customer),
        "remittance": pl.coalesce("said_remittance", "supplement"),
        "payer_name": pl.col("said_name"),
        "payer_account": pl.col("said_account"),
        "position": pl.format("line {}", "line"),
        "raw": pl.col("raw"),
    }
    nothing = {n: pl.lit(None, t) for n, t in PAYMENTS.items() if n not in columns}
    return canonical(frame.select(**(columns | nothing)))


def _references(creditor: pl.Expr, customer: pl.Expr) -> pl.Expr:
    first, second = (
        pl.struct(text=text, source=pl.lit(source), amount=pl.lit(None, MONEY)).cast(REFERENCE)
        for text, source in ((creditor, "creditor_reference"), (customer, "customer_reference"))
    )
    alone = pl.when(creditor.is_not_null()).then(pl.concat_list(first)).when(customer.is_not_null())
    one = alone.then(pl.concat_list(second)).otherwise([])
    return pl.when(creditor.is_not_null() & customer.is_not_null()).then(pl.concat_list(first, second)).otherwise(one)
