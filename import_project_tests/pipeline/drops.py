"""Files dropped into the inboxes of an installation, and what came of them."""

from dataclasses import replace

from import_project.config.load import LoadedFeed
from import_project.demo import files
from import_project.pipeline.parts import Parts
from import_project.records.outcomes import Outcome
from import_project_tests.installation import Installation
from import_project_tests.servers import SftpPeer


def drop_bgmax(sftp: SftpPeer, content: bytes | None = None, name: str = files.BGMAX_NAME) -> None:
    (sftp.root / "out" / name).write_bytes(files.bgmax() if content is None else content)


def drop_orders(installation: Installation, content: bytes | None = None, name: str = files.ORDERS_NAME) -> None:
    (installation.inbox / name).write_bytes(files.orders_csv() if content is None else content)


def only_outcome(parts: Parts) -> Outcome:
    (outcome,) = parts.ledger.outcomes.all()
    return outcome


def mistaken(loaded: LoadedFeed) -> LoadedFeed:
    """The feed with a schema that wants a column its files have not."""
    assert loaded.schema is not None
    wrong = replace(loaded.schema.columns[0], name="gone")
    return replace(loaded, schema=replace(loaded.schema, columns=(wrong,)))
