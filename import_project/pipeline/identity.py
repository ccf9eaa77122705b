"""The name under which the ledger decides about a row or payment. What makes its identity is said where it is read."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any


def subject(identity: str) -> str:
    """Return the name of an identity in the ledger: a hash, so that it shows nothing of a person."""
    return sha256(identity.encode()).hexdigest()


#: What of a payment names the bank's entry it is of.
ENTRY = ("account", "entry", "lump")


def entry_subject(payment: Mapping[str, Any]) -> str | None:
    """Return the name of a payment's entry in the ledger; None where the bank gave the entry no reference."""
    return None if payment["entry"] is None else subject(f"entry|{payment['account']}|{payment['entry']}")
