"""Payments times invoices to matches. Pure: no clock, no network, no storage; the same in any order."""
