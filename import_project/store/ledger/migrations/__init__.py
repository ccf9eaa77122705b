"""Alembic's scripts. A migration that has been released is never changed; the next one gets the next number."""
