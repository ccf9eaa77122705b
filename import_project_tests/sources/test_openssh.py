"""SFTP against OpenSSH's own server, as a child process."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from import_project.sources.sftp import SftpSource
from import_project.sources.sftp_login import SftpLogin
from import_project_tests.sources.contract import FolderContract, FolderInbox

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpLogin]:
    binary = shutil.which("sshd") or "/usr/sbin/sshd"
    assert Path(binary).exists(), "OpenSSH's sshd is missing: run `make test-peers`, which installs it"
    home = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "user_key"):
        (home / name).touch(mode=0o600)
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(home / name))
    public = {n: asyncssh.read_private_key(home / n).export_public_key().decode() for n in ("host_key", "user_key")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "authorized_keys").write_text(public["user_key"], "utf-8")
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {public['host_key']}", "utf-8")
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {home}/host_key\nAuthorizedKeysFile {home}/authorized_keys\n"
        f"PidFile {home}/sshd.pid\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
        "utf-8",
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [binary, "-D", "-e", "-f", str(home / "sshd_config")]
    with (home / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as child:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert child.poll() is None, (home / "log").read_text("utf-8")
                time.sleep(0.05)
        yield SftpLogin(
            host="127.0.0.1",
            port=port,
            username=os.environ.get("USER", "root") if os.geteuid() else "root",
            known_hosts=home / "known_hosts",
            private_key=(home / "user_key").read_text("utf-8"),
        )
        child.terminate()


class TestOpenSsh(FolderContract):
    @pytest.fixture
    def inbox(self, tmp_path: Path) -> FolderInbox:
        return FolderInbox(tmp_path / "in")

    @pytest.fixture
    def source(self, sshd: SftpLogin, inbox: FolderInbox) -> SftpSource:
        return SftpSource(sshd, str(inbox.root))
