"""The command `import-project`. Each command's work is imported when it runs: `--help` must stay fast."""

import signal
import sys
from pathlib import Path

import click

from import_project.cli.alert_commands import alerts
from import_project.cli.desk_commands import serve, tokens
from import_project.cli.options import FEED, JSON
from import_project.cli.payment_commands import payments
from import_project.cli.posting_commands import audit, postings
from import_project.cli.quarantine_commands import quarantine
from import_project.errors import ImportProjectError, one_line

_HOME = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Folder of the demo's state.",
)
_FORMAT = click.option("--format", "name", help="The format; without it, found from the content.")
_OPTION = click.option("--option", "-o", "options", multiple=True, help="A format's option: NAME=VALUE.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="import_project")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Bank and partner files, imported exactly once."""
    context.obj = debug


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_FORMAT
@_OPTION
@JSON
def inspect(file: Path, *, name: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Show what is in FILE: rows or payments, totals, and what is wrong.

    Exits with 1, and one line that says why, when FILE would be refused or part of it set aside.
    """
    from import_project.cli.inspect import inspect_file

    inspect_file(file, name, options, as_json=as_json)


@cli.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--feed", required=True, help="The feed whose file it would be.")
@JSON
def check_file(file: Path, *, feed: str, as_json: bool) -> None:
    """Show what would happen to FILE: rows accepted and quarantined, and why; nothing is kept, called or sent.

    Exits with 1, and one line that says why, when FILE would be refused or part of it set aside.
    """
    from import_project.cli.check import check

    check(file, feed, as_json=as_json)


@cli.group()
def feeds() -> None:
    """Work with feed files."""


@feeds.command()
@click.option(
    "--feeds",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("feeds"),
    show_default=True,
    envvar="IMPORT_PROJECT_FEEDS",
    help="Folder of the feed files.",
)
def check(*, folder: Path) -> None:
    """Read all feed files and say what is wrong with each; nothing is connected to."""
    from import_project.cli.feeds import check_feeds

    check_feeds(folder)


@feeds.command("draft")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_FORMAT
@_OPTION
def draft_from(file: Path, *, name: str | None, options: tuple[str, ...]) -> None:
    """Draft a schema from the sample FILE, as YAML on stdout: rules that hold for all its rows, doubts as comments."""
    from import_project.cli.draft import draft_schema

    draft_schema(file, name, options)


@cli.command()
@FEED
@click.option("--open", "still_open", is_flag=True, help="Those that have not ended: where they stand, and why.")
@JSON
def files(*, feed: str | None, still_open: bool, as_json: bool) -> None:
    """List the files that have ended and their outcomes, or those that have not."""
    from import_project.cli.files import list_files, list_open

    (list_open if still_open else list_files)(feed, as_json=as_json)


@cli.command()
@click.option("--once", is_flag=True, help="Pass once: exits with 0, 1 (a file failed) or 2 (not all was polled).")
@click.option("--every", type=click.FloatRange(min=1), metavar="SECONDS", help="Pass again and again, for ever.")
@JSON
def poll(*, once: bool, every: float | None, as_json: bool) -> None:
    """Poll every feed and run its new files in this process, without a daemon; recorded in Dagster all the same.

    SIGTERM lets the file in hand come to its end. With --json, one object a line.
    """
    if once == (every is not None):
        raise click.UsageError("say either --once or --every SECONDS")
    from import_project.cli.poll import poll as passes

    passes(every, as_json=as_json)


@cli.command("watch")
@click.option("--every", type=click.FloatRange(min=0.2), default=2, show_default=True, help="Seconds between looks.")
@click.option("--compact", is_flag=True, help="One line a feed.")
@click.option("--once", is_flag=True, help="Look once and end.")
@JSON
def watch_all(*, every: float, compact: bool, once: bool, as_json: bool) -> None:
    """Show feeds, files in each state, what is at work, rates and errors, refreshed in place until Ctrl-C."""
    from import_project.cli.watch import watch

    watch(every, compact=compact, once=once, as_json=as_json)


@cli.command("report")
@click.argument("run_or_file")
@FEED
@JSON
def report_on(run_or_file: str, *, feed: str | None, as_json: bool) -> None:
    """Report on a run, by the begin of its id, or on the newest run of a file, by its name or partition."""
    from import_project.cli.report import print_report

    print_report(run_or_file, feed, as_json=as_json)


@cli.command()
@click.argument("feed", required=False)
@JSON
def doctor(feed: str | None, *, as_json: bool) -> None:
    """Try out every source and API, or FEED's: connection, host key, listing, rights; say how to mend what fails."""
    from import_project.cli.doctor import look

    look(feed, as_json=as_json)


@cli.command()
@_HOME
@click.option("--timeout", type=float, default=240, show_default=True, help="Seconds to wait for the files' runs.")
@JSON
def demo(home: Path, *, timeout: float, as_json: bool) -> None:
    """Run a whole installation on this machine until its files are imported, and prove the result."""
    from import_project.cli.demo import run

    run(home, timeout, as_json=as_json)


@cli.command()
@_HOME
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port of the Dagster UI.")
def dev(home: Path, *, port: int) -> None:
    """Open the demo's state in the Dagster UI, with sensors running, until Ctrl-C."""
    from import_project.cli.demo import develop

    develop(home, port)


cli.add_command(alerts)
cli.add_command(serve)
cli.add_command(tokens)
cli.add_command(payments)
cli.add_command(postings)
cli.add_command(audit)
cli.add_command(quarantine)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; an error is one line on stderr and exit code 1.

    SIGTERM and a closed terminal end a command as Ctrl-C does, so that nothing it started stays behind.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    try:
        cli(standalone_mode=False)
    except ImportProjectError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"error: {error.line}", err=True)
        sys.exit(1)
    except OSError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"error: {one_line(str(error))}", err=True)
        sys.exit(1)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
