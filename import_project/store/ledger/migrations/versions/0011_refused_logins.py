"""How often a feed's login was refused in a row, when last, and what it was tried with; bytes are found in any feed."""

import sqlalchemy as sa
from alembic import op

from import_project.store.ledger.column_types import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns and the index; what failed before counts as no refusal."""
    op.add_column("poll_errors", sa.Column("refusals", sa.Integer, nullable=False, server_default="0"))
    op.add_column("poll_errors", sa.Column("refused_at", UtcDateTime()))
    op.add_column("poll_errors", sa.Column("tried_with", sa.String(length=64)))
    op.create_index("files_by_sha256", "files", ["sha256"])
