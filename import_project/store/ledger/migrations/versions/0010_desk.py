"""The front desk: jobs, tokens, and files that are taken back."""

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the two tables, and the column."""
    op.add_column("arrivals", sa.Column("cancelled_by", sa.Text))
    op.create_index("arrivals_by_container", "arrivals", ["container"])
    op.create_index("arrivals_by_state_alone", "arrivals", ["state"])
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(length=32), nullable=False, unique=True),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("handed_in_by", sa.Text, nullable=False),
        sa.Column("key", sa.String(length=255)),
        sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("hook_at", UtcDateTime()),
        sa.Column("hook_tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("told_at", UtcDateTime()),
        sa.UniqueConstraint("workspace", "key", name="one_job_a_key"),
    )
    op.create_index("jobs_by_workspace", "jobs", ["workspace", "created_at"])
    op.create_index("jobs_by_arrival", "jobs", ["arrival_id"])
    op.create_index("jobs_by_hook", "jobs", ["hook_at"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
    )
