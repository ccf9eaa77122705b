"""FTPS against vsftpd, as a child process: no MLSD, and data only in the control connection's TLS session."""

import ftplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from import_project_tests.ftp_servers import FtpPeer, vsftpd
from import_project_tests.sources.contract import UNSAFE_NAMES
from import_project_tests.sources.test_ftp import FtpContract

pytestmark = pytest.mark.peers


LISTED_NAMES = [n for n in UNSAFE_NAMES if not n.startswith(".")]  # vsftpd lists no hidden names


class TestVsftpd(FtpContract):
    unsafe_names = LISTED_NAMES

    @pytest.fixture
    def peer(self, tmp_path: Path) -> Iterator[FtpPeer]:
        with vsftpd(tmp_path / "vsftpd") as peer:
            yield peer

    def test_server_refuses_data_in_another_session(self, peer: FtpPeer) -> None:
        trust = ssl.create_default_context(cafile=peer.ca_file)
        with ftplib.FTP_TLS(context=trust, timeout=10) as ftp:
            ftp.connect("127.0.0.1", peer.port)
            ftp.login()
            ftp.prot_p()
            with pytest.raises(ftplib.error_perm, match="522 SSL connection failed: session reuse required"):
                ftp.retrlines("LIST")
