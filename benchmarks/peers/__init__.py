"""Other durable workflow libraries doing the same work on the same PostgreSQL, each in a process of its own."""
