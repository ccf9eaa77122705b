"""The demo's folders, its servers as child processes, and the environment its feeds are read with."""

import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from import_project.demo import files
from import_project.demo.sftp_server import USER, make_keys
from import_project.errors import ConfigError, SourceUnreachable

_NEEDED = ("feeds", "workspace.yaml", "dagster.yaml")


class Installation:
    """A demo home: made once, started as often as wanted. Run from a checkout, whose feeds it uses."""

    def __init__(self, home: Path, project: Path | None = None) -> None:
        self.home = home.absolute()
        self.project = (project or Path()).absolute()
        missing = [n for n in _NEEDED if not (self.project / n).exists()]
        if missing:
            raise ConfigError(f"no {missing[0]} in {self.project}", do="run this in a checkout of the project")

    @property
    def inboxes(self) -> dict[str, Path]:
        """The folder of each feed into which a sender drops files."""
        return {"bankgiro": self.home / "sftp/root/out", "orders": self.home / "inbox"}

    @property
    def effects(self) -> list[dict[str, object]]:
        """What the receiving API says has taken effect."""
        path = self.home / "api/effects.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def _prepare(self) -> None:
        """Make folders, keys, invoices and files; a home that was made before is left as it is."""
        for folder in (*self.inboxes.values(), self.home / "api", self.home / "state", self.home / "dagster"):
            folder.mkdir(parents=True, exist_ok=True)
        make_keys(self.home / "sftp")
        shutil.copyfile(self.project / "dagster.yaml", self.home / "dagster/dagster.yaml")
        made = self.home / "made"
        if not made.exists():
            (self.home / "api/token").write_text(secrets.token_urlsafe(24), "utf-8")
            (self.home / "api/invoices.json").write_text(json.dumps(files.invoices(), indent=1), "utf-8")
            (self.inboxes["bankgiro"] / files.BGMAX_NAME).write_bytes(files.bgmax())
            (self.inboxes["orders"] / files.ORDERS_NAME).write_bytes(files.orders_csv())
            made.touch()

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        """Start both servers, and give the environment in which the feeds can be read."""
        self._prepare()
        token = (self.home / "api/token").read_text("utf-8")
        environ = {**os.environ, "ERP_TOKEN": token}
        with (
            _server("import_project.demo.sftp_server", self.home / "sftp", environ) as sftp_port,
            _server("import_project.demo.receiving_api", self.home / "api", environ) as api_port,
        ):
            own = {
                "BANK_HOST": "127.0.0.1",
                "BANK_PORT": sftp_port,
                "BANK_USER": USER,
                "BANK_KEY": (self.home / "sftp/user_key").read_text("utf-8"),
                "BANK_KNOWN_HOSTS": str(self.home / "sftp/known_hosts"),
                "BANK_FOLDER": "out",
                "ORDERS_INBOX": str(self.inboxes["orders"]),
                "ERP_URL": f"http://127.0.0.1:{api_port}",
                "IMPORT_PROJECT_HOME": str(self.home / "state"),
                "IMPORT_PROJECT_FEEDS": str(self.project / "feeds"),
                "DAGSTER_HOME": str(self.home / "dagster"),
            }
            self._write_environment({"ERP_TOKEN": token, **own})
            yield environ | own

    def _write_environment(self, own: Mapping[str, str]) -> None:
        """Write a file for a shell to read, so that commands work on the demo while its servers run."""
        path = self.home / "environment"
        path.touch(mode=0o600)
        path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in own.items()), "utf-8")

    @contextmanager
    def daemon(self, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run the Dagster daemon, which evaluates the sensors and launches the runs; its words go to `daemon.log`."""
        command = [_beside_python("dagster-daemon"), "run", "-w", str(self.project / "workspace.yaml")]
        with (self.home / "daemon.log").open("ab") as log, _child(command, environ, stdout=log, stderr=log) as child:
            yield child

    def check_port(self, port: int) -> None:
        """Raise ConfigError when the UI's port is taken, before anything is started."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise ConfigError(f"port {port} is taken", do="choose another with --port") from None

    @contextmanager
    def webserver(self, environ: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
        """Run the Dagster UI on a port of this machine; its words go to the daemon's log."""
        place = ["-w", str(self.project / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
        command = [_beside_python("dagster-webserver"), *place]
        with (self.home / "daemon.log").open("ab") as log, _child(command, environ, stdout=log, stderr=log) as child:
            yield child

    def ui(self, environ: Mapping[str, str], port: int) -> None:
        """Run the Dagster UI and daemon until they are interrupted."""
        with self.daemon(environ) as daemon, self.webserver(environ, port) as child:
            while daemon.poll() is None and child.poll() is None:
                time.sleep(0.5)
        raise SourceUnreachable("the Dagster UI or daemon stopped by itself", do=f"see {self.home / 'daemon.log'}")


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def _child(command: list[str], environ: Mapping[str, str], **streams: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in its own process group, and end the whole group with the block."""
    child = subprocess.Popen(  # type: ignore[call-overload]
        command, env=dict(environ), start_new_session=True, **streams
    )
    try:
        yield child
    finally:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is None:
                os.killpg(child.pid, ending)
                try:
                    child.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    continue


@contextmanager
def _server(module: str, home: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run one of the demo's servers; it says its port on its first line. The port is kept for the next time."""
    kept = home / "port"
    wanted = kept.read_text("utf-8") if kept.exists() else "0"
    with _child([sys.executable, "-m", module, str(home), wanted], environ, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        port = child.stdout.readline().decode().strip()
        if not port:
            told = f"the demo's server {module.rsplit('.', 1)[1]} did not start on port {wanted}"
            raise SourceUnreachable(told, do="does a demo or dev of this home run already?")
        kept.write_text(port, "utf-8")
        try:
            yield port
        finally:
            child.stdout.close()
