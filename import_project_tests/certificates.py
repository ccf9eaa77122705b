"""Certificates for servers of the tests: an authority of our own and what it signs."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Certificates:
    """PEM files: an authority of our own, a server's key, and its certificate with the authority's behind it."""

    ca: Path
    key: Path
    chain: Path


def make_certificates(home: Path, made_for: str) -> Certificates:
    """Make an authority and a certificate for one host name or address, good for a day."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0))
    try:
        host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(made_for))
    except ValueError:
        host = x509.DNSName(made_for)
    own = _certificate(
        name,
        ca_name,
        key,
        ca_key,
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectAlternativeName([host]),
    )
    files = Certificates(ca=home / "ca.pem", key=home / "key.pem", chain=home / "chain.pem")
    files.ca.write_bytes(ca)
    files.chain.write_bytes(own + ca)
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _certificate(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
    *more: x509.ExtensionType,
) -> bytes:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=bool(constraints.ca),
                crl_sign=bool(constraints.ca),
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
