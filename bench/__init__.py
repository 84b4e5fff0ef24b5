"""Benchmarks: `python -m bench` runs all, `python -m bench.NAME` one. They print figures; no test has limits on them."""
