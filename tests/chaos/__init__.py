"""Faults on purpose, under load, and a check that nobody noticed."""
