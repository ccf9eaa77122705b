"""PGP messages (RFC 9580), decrypted with a feed's private key into a file. Signatures inside are not verified here.

The library holds Python's lock and writes without a bound, so it runs in a process of its own, whose memory and file
size the kernel limits, and which gets the key through a pipe.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from import_project.errors import ConfigError, Unreadable
from import_project.packing.pgp_packets import recipients

_HEAD = 1 << 16
_BYTES_A_SECOND = 4 << 20


def decrypt(
    path: Path,
    target: Path,
    *,
    room: int,
    private_key: str | None,
    passphrase: str | None,
    start_seconds: float = 60,
) -> None:
    """Decrypt the message in `path` to the new file `target`, which gets at most `room` + 1 bytes.

    `private_key` is one armored or unarmored OpenPGP key, `passphrase` its own. It may take `start_seconds`, and a
    second more for each 4 MiB of `room`. With exactly `room` + 1 bytes in `target`, which is then no whole content,
    the message holds more, and no error is raised here for it.
    Raises ConfigError without key or library, or for a key that cannot be used; Unreadable for a message that is for
    other keys, broken, changed on its way, or too slow to decrypt.
    """
    if private_key is None:
        raise ConfigError("the file is PGP-encrypted, and the feed names no key", do="give the feed a private key")
    if find_spec("pysequoia") is None:
        raise ConfigError(
            "the file is PGP-encrypted, and the library for it is not installed",
            do="pip install 'import_project[pgp]'",
        )
    job = {"source": str(path), "target": str(target), "key": private_key, "passphrase": passphrase, "most": room + 1}
    seconds = start_seconds + min(room, 64 << 30) // _BYTES_A_SECOND
    try:
        done = subprocess.run(  # noqa: S603 - our own program, nothing from outside in its arguments
            [sys.executable, "-I", str(Path(__file__).with_name("pgp_process.py"))],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(
            f"the PGP message was not decrypted in {seconds} seconds", do="ask for the file again"
        ) from None
    if target.exists() and target.stat().st_size > room:
        return
    step, why = _failure(done)
    if step == "key":
        raise ConfigError(f"the feed's PGP key cannot be used: {why}", do="check the key and its passphrase")
    if step:
        with path.open("rb") as message:
            keys = recipients(message.read(_HEAD))
        whom = f"for the keys {', '.join(keys[:5])}" if keys else "for no named key"
        raise Unreadable(
            f"the PGP message, {whom}, cannot be decrypted with the feed's key: {why}",
            do="ask the sender to encrypt it again, for the feed's key",
        )


def _failure(done: subprocess.CompletedProcess[bytes]) -> tuple[str, str]:
    """Return the step that failed, and why; two empty texts when all went well."""
    try:
        step, why = json.loads(done.stdout)
    except ValueError:
        return "message", f"the decryption ended with code {done.returncode}"
    return str(step), str(why)
