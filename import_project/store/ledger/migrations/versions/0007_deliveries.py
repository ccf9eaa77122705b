"""Alerts with their facts, and which channel has delivered each."""

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Alerts that were sent before have reached all who were to have them."""
    op.add_column("alerts", sa.Column("facts", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "deliveries",
        sa.Column("key", sa.String(length=255), sa.ForeignKey("alerts.key"), primary_key=True),
        sa.Column("channel", sa.String(length=32), primary_key=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=False),
    )
