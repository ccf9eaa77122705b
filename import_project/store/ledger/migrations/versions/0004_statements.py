"""Statements of bank files, and the entries that payments are of, so that later files are held against them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add two tables; of files that came before, nothing is known."""
    op.create_table(
        "entries",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("entry", sa.String(length=64), primary_key=True),
        sa.Column("lump", sa.Boolean, nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
    )
    op.create_table(
        "statements",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("sha256", sa.String(length=64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("form", sa.String(length=32), nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("currency", sa.String(length=8), nullable=False),
        sa.Column("identification", sa.Text),
        sa.Column("sequence", sa.Text),
        sa.Column("booking_date", sa.Date),
        sa.Column("payments", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String(length=48), nullable=name != "net") for name in ("net", "opening", "closing")),
        sa.ForeignKeyConstraint(["feed", "sha256"], ["files.feed", "files.sha256"]),
    )
    op.create_index("statements_by_account", "statements", ["feed", "account", "booking_date"])
