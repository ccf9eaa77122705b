"""Postings with method and history, the health of APIs, and the audit log, which nobody can change."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from import_project.records.audit import FIRST, Act, Entry, as_facts
from import_project.store.ledger.column_types import UtcDateTime

revision = "0006"
down_revision = "0005"

_SQLITE = """
CREATE TRIGGER audit_no_{word} BEFORE {word} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END
"""
_SQLITE_REPLACE = """
CREATE TRIGGER audit_no_REPLACE BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END
"""
_FUNCTION = """
CREATE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$
"""
_POSTGRESQL = """
CREATE TRIGGER audit_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()
"""


def upgrade() -> None:
    """Postings that were sent before may have taken effect when they last changed; the log begins empty."""
    op.add_column("postings", sa.Column("method", sa.String(length=8), nullable=False, server_default="POST"))
    op.add_column("postings", sa.Column("sent_at", UtcDateTime()))
    op.add_column("postings", sa.Column("repeats", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE postings SET sent_at = frozen_at WHERE state IN ('sending', 'unknown')")
    op.create_index("postings_in_order", "postings", ["feed", "sha256", "id"])
    op.create_index("payments_taken_back", "payments", ["feed", "taken_back_by"])
    op.create_index("payments_changed", "payments", ["feed", "changes"])
    op.add_column("outcomes", sa.Column("dead", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "apis",
        sa.Column("api", sa.String(length=64), primary_key=True),
        sa.Column("strikes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("breaks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("closed_until", UtcDateTime()),
        sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("took_at", UtcDateTime()),
        sa.Column("paced_until", UtcDateTime()),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("feed", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("done_by", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
    )
    op.create_index("audit_by_file", "audit", ["feed", "sha256"])
    _begin()
    if op.get_bind().dialect.name == "sqlite":
        for word in ("UPDATE", "DELETE"):
            op.execute(_SQLITE.format(word=word))
        op.execute(_SQLITE_REPLACE)
    else:
        op.execute(_FUNCTION)
        op.execute(_POSTGRESQL)


def _begin() -> None:
    """The first entry says up to which posting the log knows nothing."""
    known = op.get_bind().execute(sa.text("SELECT COALESCE(MAX(id), 0) FROM postings")).scalar_one()
    now = datetime.now(UTC)
    facts = as_facts({"postings_before": known})
    entry = Entry(number=1, at=now, what=Act.BEGUN, feed="", sha256="", done_by="migration 0006", facts=facts)
    row = {name: getattr(entry, name) for name in Entry.__slots__} | {"hash": entry.chained(FIRST)}
    columns = [sa.column(name, UtcDateTime() if name == "at" else None) for name in row]
    op.bulk_insert(sa.table("audit", *columns), [row])
