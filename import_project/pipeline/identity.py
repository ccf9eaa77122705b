"""The name under which the ledger decides about a row or payment. What makes its identity is said where it is read."""

from hashlib import sha256


def subject(identity: str) -> str:
    """Return the name of an identity in the ledger: a hash, so that it shows nothing of a person."""
    return sha256(identity.encode()).hexdigest()
