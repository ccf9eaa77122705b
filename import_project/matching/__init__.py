"""Payments times invoices to matches. Pure: no clock, no network, no frames; the same in any order."""
