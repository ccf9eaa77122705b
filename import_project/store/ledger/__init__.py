"""What is done and what is not: arrivals and their claims, files, decisions, postings, outcomes, alerts.

`Ledger` in `ledger.py` is the one door. SQLite (WAL) or PostgreSQL behind SQLAlchemy Core; no business rules here.
"""

from import_project.store.ledger.ledger import Ledger

__all__ = ["Ledger"]
