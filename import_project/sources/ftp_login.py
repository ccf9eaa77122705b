"""How to reach an FTP server: login, TLS, trust, and ftplib's errors in our words. No files here."""

import contextlib
import ftplib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from import_project.errors import (
    ConfigError,
    FileVanished,
    HostKeyRefused,
    ImportProjectError,
    LoginRefused,
    SourceDenied,
    SourceUnreachable,
)
from import_project.sources.ftp_listing import NotAListing

# ftplib decodes answers strictly; as Latin-1 every byte of a name passes, and `wire` and `shown` put UTF-8 on top.
_BYTES = "latin-1"
_MISSING = re.compile(r"no such|not found|cannot find|can't find|(does not|doesn't) exist", re.IGNORECASE)
#: What servers say with the code of a refused login where they only have too many guests.
_CROWDED = re.compile(r"maximum|too many|try (?:again )?later", re.IGNORECASE)
_FORBIDDEN = re.compile(r"permission|privilege|denied|not allowed|forbidden|not authori[sz]ed", re.IGNORECASE)


class NotThere(Exception):
    """The server has no such file or folder; the text is its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FtpLogin:
    """Where and as whom to log in. `password` is the revealed text and never shown. Times in seconds.

    `tls` is explicit (AUTH TLS, mostly port 21), implicit (TLS from the first byte, mostly port 990) or none: then the
    password and all files travel in the clear. `ca_file` holds the PEM certificates of the authorities that are trusted
    in place of the system's. Certificates and host names are always checked.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: Literal["explicit", "implicit", "none"] = "explicit"
    ca_file: Path | None = None
    connect_timeout: float = 15.0
    step_timeout: float = 60.0

    @property
    def place(self) -> str:
        """The server, as errors name it."""
        return f"{'ftp' if self.tls == 'none' else 'ftps'}://{self.username}@{self.host}:{self.port}"


class _FtpTls(ftplib.FTP_TLS):
    """FTP over TLS whose data connections resume the control connection's session: many servers refuse others."""

    def connect_in_tls(self, host: str, port: int, timeout: float) -> None:
        """Connect to a server that speaks TLS from the first byte."""
        self.host, self.port, self.timeout = host, port, timeout
        plain = socket.create_connection((host, port), timeout)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a data connection, always in TLS."""
        # Past ftplib's own TLS, which would start a new session.
        data, size = super(ftplib.FTP_TLS, self).ntransfercmd(cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.context.wrap_socket(data, server_hostname=self.host, session=self.sock.session), size


def connect(login: FtpLogin) -> ftplib.FTP:
    """Connect, check the certificate, log in. The password leaves only when TLS stands, or is not wanted."""
    secure = None if login.tls == "none" else _FtpTls(context=_trust(login), encoding=_BYTES)
    ftp = secure or ftplib.FTP(encoding=_BYTES)  # noqa: S321 - in the clear only where the feed says so
    try:
        if secure and login.tls == "implicit":
            secure.connect_in_tls(login.host, login.port, login.connect_timeout)
        else:
            ftp.connect(login.host, login.port, login.connect_timeout)
        if secure and login.tls == "explicit":
            _start_tls(secure, login)
        ftp.login(wire(login.username), wire(login.password))
        if secure:
            secure.prot_p()
        assert ftp.sock is not None
        ftp.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # it says nothing while a long file comes
        ftp.sock.settimeout(login.step_timeout)
        ftp.timeout = login.step_timeout
    except BaseException:
        ftp.close()
        raise
    return ftp


def _trust(login: FtpLogin) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=login.ca_file)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"the CA file {login.ca_file} for {login.place} cannot be used: {reason}") from error


def _start_tls(ftp: _FtpTls, login: FtpLogin) -> None:
    try:
        ftp.auth()
    except ftplib.error_perm as error:
        advice = "ask the partner to offer TLS; `tls: none` would send the password in the clear"
        raise SourceDenied(f"{login.place} offers no TLS: {shown(str(error))}", do=advice) from None


def wire(text: str) -> str:
    """Return `text` as ftplib must get it to send UTF-8. Raises ConfigError where it holds a line break."""
    if "\r" in text or "\n" in text:
        raise ConfigError("a user name, password or path for FTP holds a line break", do="remove it")
    return text.encode("utf-8", "surrogateescape").decode(_BYTES)


def shown(answer: str) -> str:
    """Return a server's answer, as ftplib gives it, in readable form."""
    return answer.encode(_BYTES, "replace").decode("utf-8", "replace")


def gone(refused: ftplib.error_perm) -> bool:
    """Whether a refusal may mean that there is no such file; servers use 550 also for a right that is missing."""
    answer = str(refused)
    return answer.startswith("550") and bool(_MISSING.search(answer) or not _FORBIDDEN.search(answer))


@contextlib.contextmanager
def ftp_errors(login: FtpLogin, doing: str, path: str = "") -> Iterator[None]:
    """Turn ftplib's errors into ours, with the server and the path."""
    what = f"cannot {doing}{f' {path}' if path else ''} at {login.place}"
    try:
        yield
    except ImportProjectError:
        raise
    except ftplib.Error as error:
        # The answer is told without its traceback: a server may repeat the password in it.
        answer = shown(str(error)).replace(login.password or "\0", "***")[:300]
        if answer.startswith("530") and not _CROWDED.search(answer):
            raise LoginRefused(f"{what}: login refused ({answer})", do="check user name and password") from None
        if isinstance(error, ftplib.error_perm) and not answer.startswith("530"):
            raise SourceDenied(f"{what}: the server answers {answer}", do="ask the partner for the right") from None
        raise SourceUnreachable(f"{what}: the server answers {answer}") from None
    except NotThere as error:
        raise FileVanished(f"{what}: no such file or folder ({str(error)[:300]})") from None
    except NotAListing as error:
        raise SourceDenied(f"{what}: {error}", do="ask the partner to offer MLSD") from error
    except ssl.SSLCertVerificationError as error:
        advice = "name its authority as ca_file, or ask the partner for a certificate for this host name"
        raise HostKeyRefused(f"{what}: the certificate is refused, {error.verify_message}", do=advice) from error
    except TimeoutError as error:
        raise SourceUnreachable(f"{what}: no answer in time") from error
    except EOFError as error:
        raise SourceUnreachable(f"{what}: the server closed the connection") from error
    except (OSError, UnicodeError) as error:
        raise SourceUnreachable(f"{what}: {error}") from error
