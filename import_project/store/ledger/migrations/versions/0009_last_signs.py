"""When a file last ended, beside when it first did; why a feed could not be polled; when a sign of life is due."""

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; files that have ended did so once, as far as is known."""
    op.add_column("outcomes", sa.Column("concluded_at", UtcDateTime()))
    op.execute(sa.text("UPDATE outcomes SET concluded_at = finished_at"))
    op.add_column("heartbeats", sa.Column("due_at", UtcDateTime()))
    op.create_table(
        "poll_errors",
        sa.Column("feed", sa.String(length=64), primary_key=True),
        sa.Column("failed_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
