"""A database as it is after months of work, and how the service answers on it."""
