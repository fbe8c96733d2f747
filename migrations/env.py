"""Alembic's entry: runs the migrations on the connection that app/store/migrate.py hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection


def run(connection: Connection, schema: str) -> None:
    """Runs them in the transaction that the caller has begun, and commits or rolls back."""
    context.configure(connection=connection, target_metadata=None, version_table_schema=schema)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run(context.config.attributes["connection"], context.config.attributes["schema"])
