"""The benchmark of Backstitch: `python -m benchmarks` prints a table; docs/benchmarks.md says what it measures."""
