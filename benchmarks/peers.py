"""What benchmarks compare with (OpenSSH's sftp, rclone) and what both sides use: sshd, and a link with a delay.
What is measured with them is not known here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from import_project.demo.sftp_server import make_keys, write_known_hosts
from import_project.sources.sftp_login import SftpLogin

#: What spares rclone asking the server's shell for the checksum of each file, and which shell it is.
NO_HASHES = ("--sftp-shell-type=none", "--sftp-disable-hashcheck")
_PACKAGES = {
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sftp": "openssh-client",
    "sshd": "openssh-server",
    "rclone": "rclone",
}


class PeerMissing(Exception):
    """A program to compare with is not installed."""


def program(name: str) -> str:
    """Return the path of a program. Raises PeerMissing with what to install."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        raise PeerMissing(
            f"the benchmark compares with {name}, which is not installed: "
            f"apt-get install --no-install-recommends {_PACKAGES[name]}"
        )
    return path


def told_versions() -> dict[str, str]:
    """Return what the programs say their versions are."""
    ssh = subprocess.run([program("ssh"), "-V"], capture_output=True, text=True, check=True, timeout=20).stderr
    return {"ssh": ssh.strip(), "rclone": run_peer([program("rclone"), "version"]).splitlines()[0]}


@contextmanager
def child(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run a process in a group of its own, and end all of the group."""
    with subprocess.Popen(command, start_new_session=True, text=True, **options) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


def run_peer(command: list[str], said: str = "") -> str:
    """Run a peer to its end, and return what it printed. Raises CalledProcessError when it fails."""
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class SshServer:
    """OpenSSH's server on this machine, perhaps behind a slow link; `home` holds `user_key` and `known_hosts`."""

    home: Path
    port: int

    @property
    def user(self) -> str:
        return "root" if os.geteuid() == 0 else os.environ["USER"]

    @property
    def login(self) -> SftpLogin:
        """How we log in."""
        return SftpLogin(
            host="127.0.0.1",
            port=self.port,
            username=self.user,
            known_hosts=self.home / f"known_hosts_{self.port}",
            private_key=(self.home / "user_key").read_text("utf-8"),
        )

    def sftp(self, *options: str) -> list[str]:
        """OpenSSH's client, its defaults but for the login and `options`; commands come on stdin."""
        known = f"-oUserKnownHostsFile={self.home / f'known_hosts_{self.port}'}"
        login = ["-F", "none", "-i", str(self.home / "user_key"), known, "-P", str(self.port)]
        return [program("sftp"), "-q", *login, *options, "-b", "-", f"{self.user}@127.0.0.1"]

    def rclone(self, folder: Path, target: Path, *options: str) -> list[str]:
        """`rclone copy` of a folder of the server, its defaults but for the login and `options`."""
        login = ["--sftp-host=127.0.0.1", f"--sftp-port={self.port}", f"--sftp-user={self.user}"]
        login += [f"--sftp-key-file={self.home / 'user_key'}"]
        login += [f"--sftp-known-hosts-file={self.home / f'known_hosts_{self.port}'}"]
        return [program("rclone"), "--config=", *login, *options, "copy", f":sftp:{folder}", str(target)]


@contextmanager
def ssh_server(home: Path) -> Iterator[SshServer]:
    """Run sshd on a free port, with keys of its own."""
    home.mkdir()
    make_keys(home)
    public = run_peer([program("ssh-keygen"), "-y", "-f", str(home / "user_key")])
    (home / "authorized_keys").write_text(public, "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = SshServer(home=home, port=free.getsockname()[1])
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{server.port}\nHostKey {home}/host_key\nAuthorizedKeysFile {home}/authorized_keys\n"
        f"PidFile {home}/sshd.pid\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
        "utf-8",
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = home / "log"
    with log.open("wb") as out, child([program("sshd"), "-D", "-e", "-f", f"{home}/sshd_config"], stderr=out) as sshd:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
                break
            except OSError:
                if sshd.poll() is not None:
                    raise PeerMissing(f"sshd ended: {log.read_text('utf-8')}") from None
                time.sleep(0.05)
        _know(server)
        yield server


@contextmanager
def far_away(server: SshServer, *, milliseconds: float) -> Iterator[SshServer]:
    """The same server behind a link that takes so long each way."""
    command = [sys.executable, "-m", "benchmarks.delay", str(server.port), str(milliseconds)]
    with child(command, stdout=subprocess.PIPE) as proxy:
        assert proxy.stdout is not None
        far = replace(server, port=int(proxy.stdout.readline()))
        _know(far)
        yield far


def _know(server: SshServer) -> None:
    write_known_hosts(server.home, server.port).rename(server.home / f"known_hosts_{server.port}")
