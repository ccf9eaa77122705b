"""Tests; the folders mirror the package. `servers` holds the real peers, `installation` a whole one in a folder."""
