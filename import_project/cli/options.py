"""Options that several commands have. No command, and nothing heavy."""

import click

FEED = click.option("--feed", help="Only of this feed.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
FORCE = click.option("--force", is_flag=True, help="Write over a file that exists.")
