"""Attempts at steps, for reports; and what told lately that it lives."""

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("error", sa.Text),
        sa.Column("facts", sa.Text),
    )
    op.create_index("steps_by_arrival", "steps", ["arrival_id"])
    op.create_index("steps_by_run", "steps", ["run"])
    op.create_index("steps_by_state", "steps", ["state"])
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("beat_at", UtcDateTime(), nullable=False),
    )
