"""`python -m app.cli`, the same as `backstitch`."""

from app.cli import main

if __name__ == "__main__":  # processes that run CPU-bound steps import this module again
    main()
