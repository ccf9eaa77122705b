"""PGP messages: opened with the right key only, refused when changed, and bounded."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysequoia import Profile, Tsk, encrypt

import import_project
from import_project.errors import ConfigError, NotAllowed, Unreadable
from import_project.packing.caps import Caps
from import_project.packing.kinds import kind_of
from import_project.packing.pgp import decrypt
from import_project.packing.pgp_packets import recipients
from import_project_tests.packing.archives import MIB, Bench, gz, zipped, zst

OURS = Tsk.generate("Imports <imports@example.com>")
NEW = Tsk.generate("Imports <imports@example.com>", profile=Profile.RFC9580)
OTHER = Tsk.generate("Other <other@example.com>")
CONTENT = b"row;1\n" * 1000
SECRET = "horse staple"


def message(content: bytes, *keys: Tsk, armor: bool = False) -> bytes:
    return bytes(encrypt(recipients=[k.extract_certificate() for k in keys or (OURS,)], bytes=content, armor=armor))


@pytest.mark.parametrize("armor", [False, True])
@pytest.mark.parametrize("key", [OURS, NEW])
def test_a_message_is_opened(bench: Bench, key: Tsk, armor: bool) -> None:
    packed = message(CONTENT, OTHER, key, armor=armor)
    assert bench.contents(packed, private_key=str(key)) == {None: CONTENT}
    assert bench.contents(message(b"", key), private_key=str(key)) == {None: b""}


def test_layers_inside_and_around_are_peeled(bench: Bench) -> None:
    inner = message(zipped({"a.csv": CONTENT}))
    assert bench.contents(inner, private_key=str(OURS)) == {"a.csv": CONTENT}
    assert bench.contents(gz(message(zst(CONTENT), armor=True)), private_key=str(OURS)) == {None: CONTENT}
    assert bench.contents(zipped({"a.csv.pgp": message(CONTENT)}), private_key=str(OURS)) == {"a.csv.pgp": CONTENT}


def test_the_kind_and_the_keys_are_known_without_a_key() -> None:
    for key in (OURS, NEW):
        for armor in (False, True):
            packed = message(CONTENT, key, OTHER, armor=armor)
            assert kind_of(packed[:512]) == "pgp"
            assert len(recipients(packed)) == 2


@pytest.mark.parametrize("armor", [False, True])
def test_a_message_for_another_key_names_it(bench: Bench, armor: bool) -> None:
    packed = message(CONTENT, OTHER, armor=armor)
    (key,) = recipients(packed)
    with pytest.raises(Unreadable, match=f"for the keys {key}, cannot be decrypted"):
        bench.unpack(packed, private_key=str(OURS))


def test_a_message_for_a_password_names_no_key(bench: Bench) -> None:
    packed = bytes(encrypt(passwords=["x"], bytes=CONTENT, armor=False))
    with pytest.raises(Unreadable, match="for no named key"):
        bench.unpack(packed, private_key=str(OURS))


def test_changed_and_cut_messages_are_refused(bench: Bench) -> None:
    packed = message(CONTENT)
    for place in (60, len(packed) // 2, len(packed) - 30, len(packed) - 1):
        broken = bytearray(packed)
        broken[place] ^= 1
        with pytest.raises(Unreadable):
            bench.unpack(bytes(broken), private_key=str(OURS))
    for other in (packed[:-1], packed[: len(packed) // 2], packed + b"garbage", packed + packed):
        with pytest.raises(Unreadable):
            bench.unpack(other, private_key=str(OURS))


def test_a_missing_key_is_said(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="is PGP-encrypted, and the feed names no key"):
        bench.unpack(message(CONTENT))


def test_a_missing_library_is_said(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(message(CONTENT))
    program = """
import sys
from pathlib import Path
from import_project.packing.caps import Caps
from import_project.packing.unpack import unpack
root = Path(sys.argv[1])
unpack(root / "message", root, caps=Caps(), private_key="any")
"""
    # -S: without the installed packages; the working directory brings ours.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path)],
        cwd=Path(import_project.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConfigError: the file is PGP-encrypted, and the library for it is not installed" in done.stderr
    assert "pip install 'import_project[pgp]'" in done.stderr


@pytest.mark.parametrize(
    ("key", "passphrase"), [("junk", None), (str(OURS.extract_certificate()), None), (str(OURS), "not protected")]
)
def test_a_bad_key_is_a_setting_and_never_shown(bench: Bench, key: str, passphrase: str | None) -> None:
    with pytest.raises(ConfigError, match="key cannot be used") as caught:
        bench.unpack(message(CONTENT), private_key=key, passphrase=passphrase)
    assert "BEGIN PGP" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("armor", [False, True])
def test_caps_hold_while_decrypting(bench: Bench, armor: bool) -> None:
    packed = message(bytes(3 * MIB), armor=armor)
    assert bench.contents(packed, private_key=str(OURS), caps=Caps(max_bytes=3 * MIB)) == {None: bytes(3 * MIB)}
    with pytest.raises(NotAllowed, match="more than 3145727 bytes"):
        bench.unpack(packed, private_key=str(OURS), caps=Caps(max_bytes=3 * MIB - 1))
    assert bench.on_disk <= 3 * MIB


def test_slow_decryption_ends(tmp_path: Path) -> None:
    packed = tmp_path / "message"
    packed.write_bytes(message(CONTENT))
    with pytest.raises(Unreadable, match=r"was not decrypted in 0\.001 seconds"):
        decrypt(packed, tmp_path / "1", room=MIB, private_key=str(OURS), passphrase=None, start_seconds=0.001)


@pytest.fixture(scope="module")
def gnupg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GnuPG home with a key whose secret part is protected by a passphrase."""
    assert shutil.which("gpg") is not None, "GnuPG is missing: run `make test-peers`, which installs it"
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    gpg(home, "--passphrase", SECRET, "--quick-gen-key", "us@example.com", "future-default", "default", "never")
    (home / "exported").write_bytes(gpg(home, "--passphrase", SECRET, "--armor", "--export-secret-keys"))
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)


def gpg(home: Path, *arguments: str, content: bytes = b"") -> bytes:
    batch = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--yes",
        "--pinentry-mode",
        "loopback",
        "--trust-model",
        "always",
    ]
    return subprocess.run([*batch, *arguments], input=content, capture_output=True, check=True).stdout


@pytest.mark.peers
@pytest.mark.parametrize(
    "options", [(), ("--armor",), ("--sign", "--passphrase", SECRET), ("--hidden-recipient", "us")]
)
def test_messages_of_gnupg_are_opened(bench: Bench, gnupg: Path, options: tuple[str, ...]) -> None:
    whom = options if "--hidden-recipient" in options else ("-r", "us@example.com", *options)
    packed = gpg(gnupg, *whom, "--encrypt", content=CONTENT)
    key = (gnupg / "exported").read_text()
    assert bench.contents(packed, private_key=key, passphrase=SECRET) == {None: CONTENT}
    for wrong in (None, "wrong"):
        with pytest.raises(ConfigError, match="key cannot be used"):
            bench.unpack(packed, private_key=key, passphrase=wrong)


@pytest.mark.peers
@pytest.mark.parametrize("size", [6000, 40 * MIB])  # the library holds back 25 MiB, so a large message fails late
def test_changed_messages_of_gnupg_leave_nothing_usable(bench: Bench, gnupg: Path, size: int) -> None:
    key = (gnupg / "exported").read_text()
    packed = gpg(gnupg, "-r", "us@example.com", "--compress-algo", "none", "--encrypt", content=bytes(size))
    for place in (len(packed) // 2, len(packed) - 30, len(packed) - 1):
        broken = bytearray(packed)
        broken[place] ^= 1
        with pytest.raises(Unreadable, match="cannot be decrypted"):
            bench.unpack(bytes(broken), private_key=key, passphrase=SECRET)


@pytest.mark.peers
def test_a_bomb_inside_a_message_stops_at_the_caps(bench: Bench, gnupg: Path) -> None:
    key = (gnupg / "exported").read_text()
    packed = gpg(gnupg, "-r", "us@example.com", "--compress-algo", "zlib", "--encrypt", content=bytes(100 * MIB))
    assert len(packed) < MIB
    with pytest.raises(NotAllowed, match="200 times"):
        bench.unpack(packed, private_key=key, passphrase=SECRET)
    assert bench.on_disk <= 200 * len(packed) + 1
