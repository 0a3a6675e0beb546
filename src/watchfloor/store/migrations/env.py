"""Alembic's entry: runs on the connection that `watchfloor.store.schema` hands over, never opens its own."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
