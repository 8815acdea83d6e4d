"""Benchmarks: ratios to a floor and to other tools, measured in one run. Never a test, never a threshold."""
