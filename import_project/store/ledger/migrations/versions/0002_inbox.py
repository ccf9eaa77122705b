"""What the inbox needs to know of an arrival: its version, when it was looked at, and the archive that it came in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns; every arrival of before keeps its meaning."""
    # Plain columns, no foreign key: SQLite could only add one by making the table anew.
    op.add_column("arrivals", sa.Column("version", sa.Text(), nullable=True))
    op.add_column("arrivals", sa.Column("looked_at", sa.DateTime(), nullable=True))
    op.add_column("arrivals", sa.Column("missing", sa.Integer(), server_default="0", nullable=False))
    op.add_column("arrivals", sa.Column("container", sa.Integer(), nullable=True))
    op.add_column("arrivals", sa.Column("packed_sha256", sa.String(length=64), nullable=True))
    op.create_index("arrivals_by_name", "arrivals", ["feed", "name"])
    op.add_column("polls", sa.Column("first_polled_at", sa.DateTime(), nullable=True))
    op.add_column("polls", sa.Column("all_ended", sa.String(length=64), nullable=True))
    op.execute("UPDATE polls SET first_polled_at = polled_at")
