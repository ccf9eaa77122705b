"""The ledger's tables as SQLAlchemy sees them. The migrations make them; a test holds both against each other."""

from typing import Any

import sqlalchemy as sa

from import_project.store.ledger.column_types import Money, UtcDateTime

metadata = sa.MetaData()

arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("feed", sa.String(64), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("mtime", UtcDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("occurrence", sa.Integer, nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("sha256", sa.String(64)),
    sa.Column("token", sa.Integer, nullable=False, server_default="0"),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("requests", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("claimed_as", sa.Text),
    sa.Column("set_aside_to", sa.Text),
    sa.Column("set_aside_at", UtcDateTime),
    sa.Column("error", sa.Text),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("version", sa.Text),
    sa.Column("looked_at", UtcDateTime),
    sa.Column("missing", sa.Integer, nullable=False, server_default="0"),
    sa.Column("container", sa.Integer),
    sa.Column("packed_sha256", sa.String(64)),
    sa.Column("cancelled_by", sa.Text),
    sa.UniqueConstraint("feed", "name", "size", "mtime", "occurrence", name="one_arrival"),
    sa.UniqueConstraint("feed", "partition", name="one_partition"),
    sa.Index("arrivals_by_state", "feed", "state"),
    sa.Index("arrivals_by_name", "feed", "name"),
    sa.Index("arrivals_by_container", "container"),
    sa.Index("arrivals_by_state_alone", "state"),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), nullable=False),
    sa.Column("landed_at", UtcDateTime, nullable=False),
    sa.Index("files_by_sha256", "sha256"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("row_number", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("decided_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("feed", "sha256", "row_number", name="one_decision_a_row"),
)

#: Other subjects of decided ones: a corrected row's, as it was read and as it is now.
same_subjects = sa.Table(
    "same_subjects",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("known_as", sa.String(64), nullable=False),
)

#: Entries of banks' statements about which something is decided: as a whole (`lump`) or by their details.
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("entry", sa.String(64), primary_key=True),
    sa.Column("lump", sa.Boolean, nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
)

statements = sa.Table(
    "statements",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("form", sa.String(32), nullable=False),
    sa.Column("account", sa.Text),
    sa.Column("currency", sa.String(8), nullable=False),
    sa.Column("identification", sa.Text),
    sa.Column("sequence", sa.Text),
    sa.Column("booking_date", sa.Date),
    sa.Column("payments", sa.Integer, nullable=False),
    sa.Column("net", Money, nullable=False),
    sa.Column("opening", Money),
    sa.Column("closing", Money),
    sa.ForeignKeyConstraint(["feed", "sha256"], ["files.feed", "files.sha256"]),
    sa.Index("statements_by_account", "feed", "account", "booking_date"),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("feed", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("row_number", sa.Integer, nullable=False),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("api", sa.String(64), nullable=False),
    sa.Column("invoice_id", sa.Text),
    sa.Column("amount", Money),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("status", sa.Integer),
    sa.Column("receipt", sa.Text),
    sa.Column("frozen_at", UtcDateTime, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Column("reference_form", sa.Text),
    sa.Column("written_off", Money),
    sa.Column("method", sa.String(8), nullable=False, server_default="POST"),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(["feed", "subject"], ["decisions.feed", "decisions.subject"]),
    sa.UniqueConstraint("feed", "subject", "part", name="one_posting"),
    sa.Index("postings_by_invoice", "api", "invoice_id"),
    sa.Index("postings_by_reference", "api", "reference_form"),
    sa.Index("postings_by_file", "feed", "sha256", "state"),
    sa.Index("postings_in_order", "feed", "sha256", "id"),
    sa.Index("postings_by_api", "api", "kind", "state"),
)

#: How receiving APIs have been answering; `paced_until` is when the next request may leave, where a rate is set.
apis = sa.Table(
    "apis",
    metadata,
    sa.Column("api", sa.String(64), primary_key=True),
    sa.Column("strikes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("breaks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("closed_until", UtcDateTime),
    sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("took_at", UtcDateTime),
    sa.Column("paced_until", UtcDateTime),
)

#: What was done with decisions and postings, for ever: triggers refuse to change or delete. `facts` is JSON; `hash` is
#: over the entry and the one before.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("feed", sa.String(64), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("done_by", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("audit_by_file", "feed", "sha256"),
)


def _decision() -> list[sa.Column[Any]]:
    return [
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_at", UtcDateTime, nullable=False),
    ]


#: Payments of bank files with the decision that stands; `given` holds their references as JSON.
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("row_number", sa.Integer, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("currency", sa.String(8), nullable=False),
    sa.Column("amount", Money, nullable=False),
    sa.Column("booking_date", sa.Date, nullable=False),
    sa.Column("reversal", sa.Boolean, nullable=False),
    sa.Column("payer_name", sa.Text),
    sa.Column("payer_account", sa.Text),
    sa.Column("bank_reference", sa.Text),
    sa.Column("end_to_end_id", sa.Text),
    sa.Column("given", sa.Text, nullable=False),
    sa.Column("remittance", sa.Text),
    *_decision(),
    sa.Column("waits", sa.Boolean, nullable=False),
    sa.Column("taken_back_by", sa.String(64)),
    sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(["feed", "subject"], ["decisions.feed", "decisions.subject"]),
    sa.Index("payments_by_reason", "feed", "reason"),
    sa.Index("payments_by_amount", "feed", "account", "amount"),
    sa.Index("payments_by_payer", "feed", "payer_account", "waits"),
    sa.Index("payments_taken_back", "feed", "taken_back_by"),
    sa.Index("payments_changed", "feed", "changes"),
)

#: Decisions about payments that stood before the one that stands.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("feed", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_decision(),
    sa.ForeignKeyConstraint(["feed", "subject"], ["decisions.feed", "decisions.subject"]),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("accepted", sa.Integer, nullable=False),
    sa.Column("quarantined", sa.Integer, nullable=False),
    sa.Column("matched", sa.Integer),
    sa.Column("unmatched", sa.Integer),
    sa.Column("repeated", sa.Integer, nullable=False),
    sa.Column("posted", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False, server_default="0"),
    sa.Column("replayed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("dead", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime, nullable=False),
    sa.Column("concluded_at", UtcDateTime),
)

sums = sa.Table(
    "sums",
    metadata,
    sa.Column("arrival_id", sa.Integer, sa.ForeignKey("arrivals.id"), primary_key=True),
    sa.Column("currency", sa.String(8), primary_key=True),
    sa.Column("amount", Money, nullable=False),
)
