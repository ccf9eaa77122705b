"""Tokens: how they are made, and who a request comes from. A token is shown once; the ledger has its hash."""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256

from fastapi import Request

from import_project.errors import NotKnown, NotYours
from import_project.records.jobs import Role, Token

COOKIE = "import_project_desk"
_START = "ipd"


def new_token(workspace: str, name: str, role: Role, by: str, now: datetime) -> tuple[Token, str, str]:
    """Return a new token as the ledger keeps it, its hash, and itself, to be shown once."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = Token(id=token_id, workspace=workspace, name=name, role=role, created_at=now, created_by=by)
    return token, hashed(secret), f"{_START}_{token_id}_{secret}"


def hashed(secret: str) -> str:
    """Return what the ledger keeps of a secret. It is random and long: a slow hash would add nothing."""
    return sha256(secret.encode()).hexdigest()


async def caller_of(request: Request, found: Callable[[str], Awaitable[tuple[Token, str] | None]]) -> Token:
    """Return whose token a request brings, in its header or cookie.

    Raises NotKnown for none that holds, and NotYours for a change by cookie that does not come from our own page.
    """
    given = request.headers.get("authorization", "")
    by_cookie = not given
    text = request.cookies.get(COOKIE, "") if by_cookie else given.removeprefix("Bearer ").strip()
    start, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    known = await found(token_id) if start == _START and token_id.isalnum() and token_id.isascii() else None
    if known is None or not hmac.compare_digest(known[1], hashed(secret)):
        raise NotKnown("no token, or one that does not hold", do="send `Authorization: Bearer TOKEN`")
    if by_cookie and request.method not in {"GET", "HEAD"} and not _from_our_page(request):
        raise NotYours("a change by cookie must come from the desk's own page")
    return known[0]


def _from_our_page(request: Request) -> bool:
    """A page of another site can neither set this header nor keep its origin to itself."""
    origin = request.headers.get("origin")
    same = origin is None or origin.partition("://")[2] == request.headers.get("host")
    return same and request.headers.get("x-desk") == "page"


def must(caller: Token, role: Role) -> None:
    """Raise NotYours when the caller may not do what needs a role."""
    if not caller.role.allows(role):
        raise NotYours(f"this needs the role {role}, the token has {caller.role}")
