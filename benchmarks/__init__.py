"""Benchmarks: peer and ours in the same run, ratios quoted. `make bench` runs all, `make bench ONLY=formats` one."""
