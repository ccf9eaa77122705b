"""How to reach an SFTP server: login, key, ciphers, and asyncssh's errors in our words. No files here."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from import_project.errors import (
    ConfigError,
    FileVanished,
    HostKeyRefused,
    LoginRefused,
    SourceDenied,
    SourceError,
    SourceUnreachable,
)

if TYPE_CHECKING:
    import asyncssh

# asyncssh starts with chacha20; AES-GCM first is 1.6 times as fast where the processor knows AES.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
# What signs or agrees on keys with SHA-1 proves nothing any more: OpenSSH refuses such signatures since 8.8.
_WEAK = re.compile(r"ssh-rsa(-cert.*)?|.*(sha1|md5|dss|umac-64|@ssh\.com).*")
_SHORTEST_RSA = 3072
_SSH_PORT, _KEY_SECONDS = 22, 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpLogin:
    """Where and as whom to log in. Secrets are the revealed texts and never shown. Times in seconds.

    With `legacy_ssh` SHA-1 may be what proves who the server is and who we are, and our RSA key may be short.
    """

    host: str
    port: int
    username: str
    known_hosts: Path
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    connect_timeout: float = 15.0
    login_timeout: float = 30.0
    step_timeout: float = 60.0
    legacy_ssh: bool = False

    @property
    def place(self) -> str:
        """The server, as errors name it."""
        return f"sftp://{self.username}@{self.host}:{self.port}"


async def connect(login: SftpLogin) -> "asyncssh.SSHClientConnection":
    """Connect, check the host key, log in."""
    import asyncssh

    return await asyncssh.connect(
        login.host,
        login.port,
        username=login.username,
        password=login.password,
        client_keys=[_key(login)] if login.private_key else None,
        known_hosts=str(login.known_hosts),
        config=None,
        agent_path=None,
        encryption_algs=_CIPHERS,
        **({} if login.legacy_ssh else _strong()),
        compression_algs=["none"],
        connect_timeout=login.connect_timeout,
        login_timeout=login.login_timeout,
        keepalive_interval=15,
        keepalive_count_max=4,
    )


def _strong() -> dict[str, list[str]]:
    """Return what asyncssh can do here, without what is weak: a name it does not know would be an error to it."""
    from asyncssh import kex, mac, public_key

    keys, certificates = public_key.get_default_public_key_algs(), public_key.get_default_certificate_algs()
    can = {
        "server_host_key_algs": [*certificates, *keys],
        "signature_algs": keys,
        "kex_algs": kex.get_default_kex_algs(),
        "mac_algs": mac.get_default_mac_algs(),
    }
    return {what: [n for n in (one.decode() for one in some) if not _WEAK.fullmatch(n)] for what, some in can.items()}


async def offered_key(host: str, port: int) -> tuple[str, str]:
    """Ask a server for its host key, without trusting it or logging in: its fingerprint, and its line for known_hosts.

    Raises SourceUnreachable when it does not answer in time.
    """
    import asyncssh

    try:
        async with asyncio.timeout(_KEY_SECONDS):
            key = await asyncssh.get_server_host_key(host, port)
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise SourceUnreachable(f"{host}:{port} shows no host key: {error}") from error
    if key is None:
        raise SourceUnreachable(f"{host}:{port} shows no host key")
    place = host if port == _SSH_PORT else f"[{host}]:{port}"
    return key.get_fingerprint(), f"{place} {key.export_public_key().decode().strip()}"


def _key(login: SftpLogin) -> "asyncssh.SSHKey":
    import asyncssh

    try:
        key = asyncssh.import_private_key(login.private_key or "", login.passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ConfigError(f"the private key for {login.place} cannot be used: {error}") from None
    bits = getattr(key.pyca_key, "key_size", _SHORTEST_RSA)
    if key.get_algorithm() == "ssh-rsa" and bits < _SHORTEST_RSA and not login.legacy_ssh:
        do = f"make one of {_SHORTEST_RSA} bits, or an Ed25519 key; source.legacy_ssh: true allows it"
        raise ConfigError(f"the private key for {login.place} is an RSA key of {bits} bits", do=do)
    return key


@contextlib.contextmanager
def sftp_errors(login: SftpLogin, doing: str, path: str = "") -> Iterator[None]:
    """Turn asyncssh's errors into ours, with the server and the path."""
    import asyncssh
    from asyncssh.packet import PacketDecodeError

    what = f"cannot {doing}{f' {path}' if path else ''} at {login.place}"
    try:
        yield
    except SourceError:
        raise
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        if not isinstance(error, asyncssh.HostKeyNotVerifiable) and "host key" not in error.reason:
            old = None if login.legacy_ssh else "one that can do no better than SHA-1 needs source.legacy_ssh: true"
            raise SourceUnreachable(f"{what}: {error.reason}", do=old) from error
        advice = "ask the partner for the key's fingerprint, then add it to the feed's known_hosts"
        if not isinstance(error, asyncssh.HostKeyNotVerifiable) and not login.legacy_ssh:
            advice += "; one that can only sign with SHA-1 needs source.legacy_ssh: true"
        raise HostKeyRefused(f"{what}: {error.reason}", do=advice) from error
    except asyncssh.PermissionDenied as error:
        advice = "check user name, password or key"
        raise LoginRefused(f"{what}: login refused ({error.reason})", do=advice) from error
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
        raise FileVanished(f"{what}: no such file or folder") from error
    except asyncssh.SFTPPermissionDenied as error:
        raise SourceDenied(f"{what}: permission denied", do="ask the partner for the right") from error
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
        raise SourceUnreachable(f"{what}: {error.reason}") from error
    except asyncssh.SFTPError as error:
        raise SourceDenied(f"{what}: {error.reason}") from error
    except TimeoutError as error:
        raise SourceUnreachable(f"{what}: no answer in time") from error
    except (OSError, asyncssh.Error, UnicodeError, PacketDecodeError) as error:  # the last two: a damaged greeting
        raise SourceUnreachable(f"{what}: {error}") from error
