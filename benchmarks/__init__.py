"""Benchmarks of the engine beside other ways to queue in Postgres. Run: `python -m benchmarks --help`."""
