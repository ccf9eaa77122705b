"""Which contents count as packed: magic bytes, and text that only looks so."""

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_project.packing.kinds import HEAD, kind_of
from import_project_tests.packing.archives import gz, tarred, zipped, zst


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gz(b"a"), "gz"),
        (zst(b"a"), "zst"),
        (b"\x5f\x2a\x4d\x18\x00\x00\x00\x00", "zst"),
        (zipped({"a": b"a"}), "zip"),
        (zipped({}), "zip"),
        (tarred({"a": b"a"}), "tar"),
        (tarred({"a": b"a"}, tarfile.GNU_FORMAT), "tar"),
        (tarred({"a": b"a"}, tarfile.PAX_FORMAT), "tar"),
        (b"-----BEGIN PGP MESSAGE-----\n\n", "pgp"),
        (b"\xef\xbb\xbf\r\n-----BEGIN PGP MESSAGE-----\r\n", "pgp"),
        (b"\xc1\xc0\x4c\x03" + b"\x11" * 8 + b"\x01" + b"\x00" * 300, "pgp"),
        (b"\x85\x01\x0c\x03" + b"\x11" * 8 + b"\x01" + b"\x00" * 300, "pgp"),
        (b"\xc3\x0d\x04\x09\x03\x08" + b"\x00" * 300, "pgp"),
        (b"\xc3\x3d\x06\x38\x09\x02" + b"\x00" * 300, "pgp"),
        (b"\xc1\x21\x06\x15\x04" + b"\x11" * 20 + b"\x19", "pgp"),
        (b"\xca\x03PGP\xc1\x0c\x03", "pgp"),
    ],
)
def test_magic_bytes_decide(content: bytes, kind: str) -> None:
    assert kind_of(content[:HEAD]) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x1f\x8b",
        b"\x1f\x8b\x07rest",
        b"date;amount\n2026-01-01;1\n",
        "Årtal;Öre\n".encode(),
        "Årtal;Öre\n".encode("cp437"),
        "Áccount;ä\n".encode("latin-1"),
        b"\x84\x03\x0311111111\x01",  # the packet is too short for its fields
        b"\xc1\xff\xff\xff\xff\xff\x03",
        b"\xc1\xe1\x03",
        b"\xca\x03GPG",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        tarred({"a": b"a"})[:148] + b"\x00" * 8 + tarred({"a": b"a"})[156:],  # no checksum
        tarred({"a": b"a"})[:300],
        b"x" * 257 + b"ustar" + b"x" * 250,
    ],
)
def test_other_contents_are_not_packed(content: bytes) -> None:
    assert kind_of(content[:HEAD]) is None


@given(
    st.text(st.characters(min_codepoint=9, categories=("L", "N", "P", "S", "Z"))), st.sampled_from(["utf-8", "cp437"])
)
def test_no_text_is_taken_for_pgp(text: str, encoding: str) -> None:
    assert kind_of(text.encode(encoding, "replace")[:HEAD]) is None


@given(st.binary(max_size=HEAD))
def test_any_bytes_are_judged(content: bytes) -> None:
    assert kind_of(content) in {None, "gz", "zst", "zip", "tar", "pgp"}
