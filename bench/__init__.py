"""Benchmarks: Interlock beside what it is built on, on one graph, in one run. `python -m bench`."""
