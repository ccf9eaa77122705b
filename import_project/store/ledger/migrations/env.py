"""How Alembic runs here: inside the transaction of the caller, who passes its connection."""

from alembic import context

from import_project.store.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
