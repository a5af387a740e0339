"""Faults put into runs on purpose, and what must be left of each run: everything but the calls in flight."""
