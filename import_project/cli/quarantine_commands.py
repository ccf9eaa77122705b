"""The group `import-project quarantine`: its commands and their options. Their work is in `quarantine`."""

from pathlib import Path

import click

from import_project.cli.options import FEED, FORCE, JSON

_ENDED = click.argument("file")


@click.group()
def quarantine() -> None:
    """Work with rows that were set aside. FILE is a file's name or its partition."""


@quarantine.command("list")
@FEED
@JSON
def list_them(*, feed: str | None, as_json: bool) -> None:
    """List the files that have quarantined rows, and why."""
    from import_project.cli.quarantine import list_quarantined

    list_quarantined(feed, as_json=as_json)


@quarantine.command()
@_ENDED
@FEED
@JSON
def show(file: str, *, feed: str | None, as_json: bool) -> None:
    """Show FILE's quarantined rows, each with all its reasons."""
    from import_project.cli.quarantine import show_quarantined

    show_quarantined(file, feed, as_json=as_json)


@quarantine.command()
@_ENDED
@FEED
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .csv or .xlsx to write.")
@FORCE
def export(file: str, *, feed: str | None, to: Path, force: bool) -> None:
    """Write FILE's quarantined rows to a CSV or XLSX file, to be corrected there."""
    from import_project.cli.quarantine import export_quarantined

    export_quarantined(file, feed, to, force=force)


@quarantine.command()
@_ENDED
@FEED
@click.option(
    "--from",
    "corrected",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The corrected export; without it, all rows are tried again as they are.",
)
@click.option("--by", help="Who corrected them; without it, the user of this machine.")
@JSON
def replay(file: str, *, feed: str | None, corrected: Path | None, by: str | None, as_json: bool) -> None:
    """Hold FILE's quarantined rows against the schema again, and post those that pass."""
    from import_project.cli.quarantine import replay_quarantined

    replay_quarantined(file, feed, corrected, by, as_json=as_json)
