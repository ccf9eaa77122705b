"""A real SFTP server on loopback, in this or its own process: `python -m import_project.demo.sftp_server HOME`.

It serves one folder to one key and knows nothing of import_project.
"""

import asyncio
import sys
from pathlib import Path

import asyncssh

USER = "acme"


def make_keys(home: Path) -> None:
    """Make the server's and the user's key once, readable by the owner only."""
    for name in ("host_key", "user_key"):
        path = home / name
        if not path.exists():
            path.touch(mode=0o600)
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(path))


def write_known_hosts(home: Path, port: int) -> Path:
    """Write the file by which clients know the server."""
    public = asyncssh.read_private_key(home / "host_key").export_public_key().decode()
    path = home / "known_hosts"
    path.write_text(f"[127.0.0.1]:{port} {public}", encoding="utf-8")
    return path


async def serve(home: Path, port: int = 0) -> asyncssh.SSHAcceptor:
    """Serve `home/root` with the keys in `home`; port 0 takes a free one."""
    make_keys(home)
    root = home / "root"
    root.mkdir(exist_ok=True)
    user = asyncssh.read_private_key(home / "user_key").export_public_key().decode()
    return await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(home / "host_key")],
        authorized_client_keys=asyncssh.import_authorized_keys(user),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
    )


async def _main(home: Path, port: int) -> None:
    try:
        server = await serve(home, port)
    except OSError:
        return  # the port is taken: without the line that names it, the caller knows
    write_known_hosts(home, server.get_port())
    print(server.get_port(), flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
