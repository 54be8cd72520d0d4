"""Benchmarks: each prints one table whose numbers come from one run, compared as ratios."""
