"""PostgreSQL: the embedded server, the migrations, and every SQL statement of the service."""
