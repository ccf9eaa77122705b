"""The ledger's tables of the front desk: jobs and tokens. What becomes of a job's file is in `tables`."""

import sqlalchemy as sa

from import_project.store.ledger.column_types import UtcDateTime
from import_project.store.ledger.tables import metadata

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("workspace", sa.String(64), nullable=False),
    sa.Column("handed_in_by", sa.Text, nullable=False),
    sa.Column("key", sa.String(255)),
    sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("hook_at", UtcDateTime),
    sa.Column("hook_tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("told_at", UtcDateTime),
    sa.UniqueConstraint("workspace", "key", name="one_job_a_key"),
    sa.Index("jobs_by_workspace", "workspace", "created_at"),
    sa.Index("jobs_by_arrival", "arrival_id"),
    sa.Index("jobs_by_hook", "hook_at"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("workspace", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)
