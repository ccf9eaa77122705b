"""The ledger's tables of operating it: polls, alerts, attempts at steps, signs of life. What files become is in
`tables`."""

import sqlalchemy as sa

from import_project.store.ledger.column_types import UtcDateTime
from import_project.store.ledger.tables import metadata

polls = sa.Table(
    "polls",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("polled_at", UtcDateTime, nullable=False),
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Column("listed", sa.Integer, nullable=False),
    sa.Column("first_polled_at", UtcDateTime),
    sa.Column("all_ended", sa.String(64)),
)

poll_errors = sa.Table(
    "poll_errors",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("failed_at", UtcDateTime, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused_at", UtcDateTime),
    sa.Column("tried_with", sa.String(64)),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("raised_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("key", sa.String(255), sa.ForeignKey("alerts.key"), primary_key=True),
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("delivered_at", UtcDateTime, nullable=False),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("step", sa.String(64), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("error", sa.Text),
    sa.Column("facts", sa.Text),
    sa.Index("steps_by_arrival", "arrival_id"),
    sa.Index("steps_by_run", "run"),
    sa.Index("steps_by_state", "state"),
)

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("beat_at", UtcDateTime, nullable=False),
    sa.Column("due_at", UtcDateTime),
)
