"""Rows that a feed leaves out; rows that were quarantined first and replayed, and what corrected ones are known as."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two counts, none of which files that have ended had, and a table."""
    for name in ("skipped", "replayed"):
        op.add_column("outcomes", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "same_subjects",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("subject", sa.String(length=64), primary_key=True),
        sa.Column("known_as", sa.String(length=64), nullable=False),
    )
