"""Bytes to frames, and the proof of their totals. One module a format; no network, no storage, no Dagster."""
