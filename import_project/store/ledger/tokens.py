"""Tokens of the front desk in the ledger: only their hashes."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from import_project.errors import ConfigError
from import_project.records.audit import Act
from import_project.records.jobs import Role, Token
from import_project.store.ledger.audit import append
from import_project.store.ledger.database import Database
from import_project.store.ledger.desk_tables import tokens

_FIELDS = [tokens.c[name] for name in Token.__slots__]


class Tokens:
    """The `tokens` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: Token, hashed: str) -> None:
        """Add a token that holds. Raises ConfigError when the workspace has one of that name that holds."""
        with self._database.write() as connection:
            same = (tokens.c.workspace == token.workspace) & (tokens.c.name == token.name)
            holds = same & tokens.c.revoked_at.is_(None)
            if connection.execute(sa.select(tokens.c.id).where(holds)).first() is not None:
                raise ConfigError(f"{token.workspace} has a token {token.name}", do="name another, or revoke it first")
            row = {name: getattr(token, name) for name in Token.__slots__}
            connection.execute(sa.insert(tokens).values(**row, hash=hashed))
            facts = {"token": token.id, "name": token.name, "workspace": token.workspace, "role": token.role.value}
            told = {"made": facts}
            append(
                self._database, connection, Act.DESK, told, feed="", file="", by=token.created_by, now=token.created_at
            )

    def found(self, token_id: str) -> tuple[Token, str] | None:
        """Return a token that holds, and its hash."""
        query = sa.select(*_FIELDS, tokens.c.hash).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (_token(row), row.hash)

    def all(self, workspace: str | None = None) -> Sequence[Token]:
        """Return the tokens of a workspace, or of all, in the order they were made."""
        query = sa.select(*_FIELDS).order_by(tokens.c.created_at, tokens.c.id)
        query = query if workspace is None else query.where(tokens.c.workspace == workspace)
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def revoke(self, token_id: str, by: str, now: datetime, *, workspace: str | None = None) -> None:
        """Let a token hold no more. Raises ConfigError for one that does not hold."""
        with self._database.write() as connection:
            mine = (tokens.c.id == token_id) & tokens.c.revoked_at.is_(None)
            mine = mine if workspace is None else mine & (tokens.c.workspace == workspace)
            if connection.execute(sa.update(tokens).where(mine).values(revoked_at=now)).rowcount != 1:
                raise ConfigError(f"no token {token_id} holds")
            whose = sa.select(tokens.c.workspace).where(tokens.c.id == token_id)
            told = {"revoked": token_id, "workspace": connection.execute(whose).scalar_one()}
            append(self._database, connection, Act.DESK, told, feed="", file="", by=by, now=now)


def _token(row: sa.Row[tuple[str, ...]]) -> Token:
    values = {name: getattr(row, name) for name in Token.__slots__}
    return Token(**{**values, "role": Role(row.role)})
