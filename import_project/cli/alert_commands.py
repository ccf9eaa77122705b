"""The group `import-project alerts`: its commands and their options. Their work is in `alerts`."""

import click

from import_project.cli.options import JSON


@click.group()
def alerts() -> None:
    """Work with alerts, and with the channels they go to."""


@alerts.command("test")
@JSON
def try_channels(*, as_json: bool) -> None:
    """Send a test over every channel that is set. Exits with 1 when one does not take it, or none is set."""
    from import_project.cli.alerts import send_test

    send_test(as_json=as_json)


@alerts.command("watch")
@click.option("--after", type=click.FloatRange(min=0.1), default=5, show_default=True, help="Minutes of silence.")
@click.option("--every", type=click.FloatRange(min=1), help="Look again after so many seconds, for ever.")
def watch_life(*, after: float, every: float | None) -> None:
    """Tell people when nothing evaluates the feeds any more: a daemon that stopped cannot say so itself.

    Run it by cron, or with --every as a service, best on another machine. Exits with 1 when something is wrong.
    """
    from import_project.cli.alerts import watch

    watch(after, every)


@alerts.command("list")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first.")
@JSON
def list_them(*, most: int, as_json: bool) -> None:
    """List what was raised, and whether it has reached all its receivers."""
    from import_project.cli.alerts import list_alerts

    list_alerts(most, as_json=as_json)
