"""FTP servers for the tests: pyftpdlib in a thread of this process, its faults switched on per test, and vsftpd as a child
process."""

import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from import_project_tests.certificates import make_certificates

with warnings.catch_warnings():
    # Python 3.11 still has these modules and says that later ones do not; there packages bring them.
    warnings.filterwarnings("ignore", r"The asyn(core|chat) module is deprecated", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.filesystems import AbstractedFS
    from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

Tls = Literal["explicit", "implicit", "none"]


@dataclass
class FtpFaults:
    """What the FTP server refuses or breaks. `deny` maps a command to the whole answer it gets."""

    deny: dict[str, str] = field(default_factory=dict)
    cut_after_bytes: int | None = None
    stall_after_bytes: int | None = None
    end_after_bytes: int | None = None
    instead_of_226: str | None = None


@dataclass
class FtpPeer:
    """`root` is the user's home folder; the server calls it `root_there`."""

    root: Path
    root_there: str
    port: int
    username: str
    tls: Tls
    ca_file: Path | None
    faults: FtpFaults
    commands: list[str]


_KINDS = {stat.S_IFLNK: b"OS.unix=symlink", stat.S_IFIFO: b"OS.unix=fifo", stat.S_IFSOCK: b"OS.unix=socket"}


class _TellingFiles(AbstractedFS):  # type: ignore[misc]
    """Tells links and pipes in MLSD, as ProFTPD does; pyftpdlib calls all of them files."""

    def format_mlsx(self, basedir: str, listing: list[str], *args: Any, **kwargs: Any) -> Iterator[bytes]:
        for name in listing:
            for line in super().format_mlsx(basedir, [name], *args, **kwargs):
                kind = _KINDS.get(stat.S_IFMT(os.lstat(f"{basedir}/{name}").st_mode), b"file")
                yield line.replace(b"type=file", b"type=" + kind)


class _FaultyData:
    cmd_channel: Any
    tot_bytes_sent: int

    def use_sendfile(self) -> bool:
        return False

    def send(self, data: bytes) -> int:
        faults: FtpFaults = self.cmd_channel.faults
        for limit in (faults.cut_after_bytes, faults.stall_after_bytes, faults.end_after_bytes):
            if limit is not None and self.tot_bytes_sent + len(data) > limit:
                data = data[: max(0, limit - self.tot_bytes_sent)]
        if data:
            return int(super().send(data))  # type: ignore[misc]
        if faults.cut_after_bytes is not None:
            self._abort(self.cmd_channel)
            self._abort(self)
        elif faults.end_after_bytes is not None:
            self.handle_close()  # type: ignore[attr-defined]
        else:
            time.sleep(0.01)
        return 0

    @staticmethod
    def _abort(channel: Any) -> None:
        end = getattr(channel.socket, "sock_shutdown", channel.socket.shutdown)  # in TLS the first is TCP's own
        end(socket.SHUT_RDWR)


class _FaultyCommands:
    faults: FtpFaults
    commands: list[str]

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        self.commands.append(line)
        if answer := self.faults.deny.get(cmd):
            self.respond(answer)
        else:
            super().pre_process_command(line, cmd, arg)  # type: ignore[misc]

    def respond(self, resp: str, *args: Any, **kwargs: Any) -> None:
        instead = self.faults.instead_of_226
        if resp.startswith("226") and instead is not None:
            resp = instead
        super().respond(resp, *args, **kwargs)  # type: ignore[misc]


class _PlainData(_FaultyData, DTPHandler):  # type: ignore[misc]
    pass


class _TlsData(_FaultyData, TLS_DTPHandler):  # type: ignore[misc]
    pass


class _Plain(_FaultyCommands, FTPHandler):  # type: ignore[misc]
    dtp_handler = _PlainData


class _Explicit(_FaultyCommands, TLS_FTPHandler):  # type: ignore[misc]
    dtp_handler = _TlsData
    tls_control_required = True
    tls_data_required = True


class _Implicit(_Explicit):
    def handle(self) -> None:
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self) -> None:
        super().handle()


_HANDLERS: dict[Tls, Any] = {"none": _Plain, "explicit": _Explicit, "implicit": _Implicit}


@contextmanager
def ftp_peer(home: Path, tls: Tls, *, made_for: str = "127.0.0.1", no_facts: bool = False) -> Iterator[FtpPeer]:
    """A real FTP server for user `acme` with the password `right-password`, certificate made for the host `made_for`.

    Without facts it has no MLSD and MLST, as many servers have none.
    """
    root = home / "root"
    root.mkdir(parents=True)
    certificates = make_certificates(home, made_for)
    authorizer = DummyAuthorizer()
    authorizer.add_user("acme", "right-password", str(root), perm="elradfmwMT")
    faults, commands = FtpFaults(), list[str]()

    how = {
        "authorizer": authorizer,
        "faults": faults,
        "commands": commands,
        "certfile": str(certificates.chain),
        "keyfile": str(certificates.key),
        "abstracted_fs": _TellingFiles,
        "unicode_errors": "surrogateescape",
        "auth_failed_timeout": 0,
    }
    if no_facts:
        known = _HANDLERS[tls].proto_cmds
        how["proto_cmds"] = {name: known[name] for name in known if name not in {"MLSD", "MLST"}}
    server = FTPServer(("127.0.0.1", 0), type("Handler", (_HANDLERS[tls],), how), ioloop=IOLoop())
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield FtpPeer(
            root=root,
            root_there="/",
            port=server.address[1],
            username="acme",
            tls=tls,
            ca_file=certificates.ca if tls != "none" else None,
            faults=faults,
            commands=commands,
        )
    finally:
        stopped.set()
        thread.join(timeout=10)


@contextmanager
def vsftpd(home: Path) -> Iterator[FtpPeer]:
    """A real vsftpd that takes TLS only, data connections only in the control connection's session, and anybody.

    It runs as whoever runs the tests, and sees the whole disk: that needs neither accounts nor root.
    """
    binary = shutil.which("vsftpd") or "/usr/sbin/vsftpd"
    assert Path(binary).exists(), "vsftpd is missing: run `make test-peers`, which installs it"
    root = home / "root"
    root.mkdir(parents=True)
    (home / "empty").mkdir()
    certificates = make_certificates(home, "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "listen": "YES",
        "listen_address": "127.0.0.1",
        "listen_port": str(port),
        "background": "NO",
        "run_as_launching_user": "YES",
        "secure_chroot_dir": str(home / "empty"),
        "seccomp_sandbox": "NO",  # containers refuse it
        "isolate": "NO",
        "isolate_network": "NO",
        "anonymous_enable": "YES",
        "anon_root": str(root),
        "anon_world_readable_only": "NO",
        "anon_upload_enable": "YES",
        "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES",
        "anon_umask": "022",
        "write_enable": "YES",
        "xferlog_enable": "NO",
        "ssl_enable": "YES",
        "allow_anon_ssl": "YES",
        "force_anon_logins_ssl": "YES",
        "force_anon_data_ssl": "YES",
        "require_ssl_reuse": "YES",
        "rsa_cert_file": str(certificates.chain),
        "rsa_private_key_file": str(certificates.key),
    }
    (home / "vsftpd.conf").write_text("".join(f"{k}={v}\n" for k, v in settings.items()), "utf-8")
    with (home / "log").open("wb") as log, subprocess.Popen([binary, str(home / "vsftpd.conf")], stdout=log) as child:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert child.poll() is None, (home / "log").read_text("utf-8")
                time.sleep(0.05)
        yield FtpPeer(
            root=root,
            root_there=str(root),
            port=port,
            username="anonymous",
            tls="explicit",
            ca_file=certificates.ca,
            faults=FtpFaults(),
            commands=[],
        )
        child.terminate()
