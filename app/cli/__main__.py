"""`python -m app.cli`, the same as `backstitch`."""

from app.cli import main

main()
