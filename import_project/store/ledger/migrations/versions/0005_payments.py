"""Payments with the decisions about them, so that they can be found, explained, changed and taken back."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import Money, UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add two tables, which know nothing of payments decided before; postings say whose reference they met."""
    op.create_table(
        "payments",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("subject", sa.String(length=64), primary_key=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("row_number", sa.Integer, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("currency", sa.String(length=8), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("booking_date", sa.Date, nullable=False),
        sa.Column("reversal", sa.Boolean, nullable=False),
        sa.Column("payer_name", sa.Text),
        sa.Column("payer_account", sa.Text),
        sa.Column("bank_reference", sa.Text),
        sa.Column("end_to_end_id", sa.Text),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("remittance", sa.Text),
        *_decision(),
        sa.Column("waits", sa.Boolean, nullable=False),
        sa.Column("taken_back_by", sa.String(length=64)),
        sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["feed", "subject"], ["decisions.feed", "decisions.subject"]),
    )
    op.create_index("payments_by_reason", "payments", ["feed", "reason"])
    op.create_index("payments_by_amount", "payments", ["feed", "account", "amount"])
    op.create_index("payments_by_payer", "payments", ["feed", "payer_account", "waits"])
    op.create_table(
        "changes",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("subject", sa.String(length=64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        *_decision(),
        sa.ForeignKeyConstraint(["feed", "subject"], ["decisions.feed", "decisions.subject"]),
    )
    op.add_column("postings", sa.Column("reference", sa.Text))
    op.add_column("postings", sa.Column("reference_form", sa.Text))
    op.add_column("postings", sa.Column("written_off", Money()))
    op.create_index("postings_by_invoice", "postings", ["api", "invoice_id"])
    op.create_index("postings_by_reference", "postings", ["api", "reference_form"])


def _decision() -> list[sa.Column[Any]]:
    return [
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
    ]
