"""`import-project tokens`: who may use the front desk."""

import getpass
import os
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from import_project.cli.installation import installation, print_json
from import_project.cli.outcome_table import table_console
from import_project.config.settings import Settings
from import_project.config.workspaces import load_workspaces
from import_project.errors import ConfigError
from import_project.records.jobs import Role


def create(workspace: str, name: str, role: str, *, as_json: bool) -> None:
    """Make a token and print it, once."""
    from import_project.api.tokens import new_token

    known, broken = load_workspaces(Settings.read(os.environ).feeds, os.environ)
    if workspace not in known:
        wrong = next((b.error for b in broken if b.path.stem == workspace), None)
        raise wrong or ConfigError(f"no workspace {workspace}", do=f"write feeds/workspaces/{workspace}.yaml")
    token, hashed, shown = new_token(workspace, name, Role(role), getpass.getuser(), datetime.now(UTC))
    with installation(new=True) as parts:
        parts.ledger.tokens.add(token, hashed)
    if as_json:
        print_json({"id": token.id, "workspace": workspace, "name": name, "role": role, "token": shown})
        return
    print(shown)
    table_console(stderr=True).print("it is shown this once: keep it safe", style="yellow")


def list_tokens(workspace: str | None, *, as_json: bool) -> None:
    """Print all tokens, never themselves."""
    with installation() as parts:
        found = parts.ledger.tokens.all(workspace)
    rows = [
        {
            "id": one.id,
            "workspace": one.workspace,
            "name": one.name,
            "role": one.role.value,
            "made": one.created_at.isoformat(timespec="seconds"),
            "by": one.created_by,
            "revoked": None if one.revoked_at is None else one.revoked_at.isoformat(timespec="seconds"),
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    console = table_console()
    if not rows:
        console.print("no token was made")
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(Text(str(value or "-")) for value in row.values()))
    console.print(table)


def revoke(token_id: str) -> None:
    """Let a token hold no more."""
    with installation() as parts:
        parts.ledger.tokens.revoke(token_id, getpass.getuser(), datetime.now(UTC))
    print(f"token {token_id} holds no more")
