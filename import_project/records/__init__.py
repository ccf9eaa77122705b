"""Frozen values that every room shares: files, issues, payments, outcomes. Standard library only."""
