"""The commands of the front desk, and their options. Their work is in `serve` and `tokens`."""

import click

from import_project.cli.options import JSON


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=8765, show_default=True)
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="0: the daemon's.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="TLS: the chain, PEM.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="TLS: its private key, PEM.")
def serve(host: str, port: int, workers: int, certificate: str | None, key: str | None) -> None:
    """Serve the front desk: an HTTP API to hand files in, and a page in front of it."""
    from import_project.cli.serve import serve as run

    run(host, port, workers, certificate=certificate, key=key)


@click.group()
def tokens() -> None:
    """Make, list and withdraw tokens of the front desk."""


@tokens.command("create")
@click.option("--workspace", required=True, help="Whose jobs it sees.")
@click.option("--name", required=True, help="Whose it is; the audit log says so.")
@click.option("--role", type=click.Choice(["upload", "review", "admin"]), default="upload", show_default=True)
@JSON
def create_token(*, workspace: str, name: str, role: str, as_json: bool) -> None:
    """Make a token and print it, this once."""
    from import_project.cli.tokens import create

    create(workspace, name, role, as_json=as_json)


@tokens.command("list")
@click.option("--workspace", help="Only those of this one.")
@JSON
def list_all(*, workspace: str | None, as_json: bool) -> None:
    """List all tokens, never themselves."""
    from import_project.cli.tokens import list_tokens

    list_tokens(workspace, as_json=as_json)


@tokens.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """Let the token with this id hold no more, at once."""
    from import_project.cli.tokens import revoke

    revoke(token_id)
