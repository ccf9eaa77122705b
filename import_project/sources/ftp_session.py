"""One logged-in FTP connection and the steps that are asked over it, one after the other; every call blocks.
What claiming and setting aside mean is in `ftp`; how to reach a server is in `ftp_login`."""

import contextlib
import ftplib
import posixpath
import socket
import ssl
from collections.abc import Callable, Iterator

from import_project.records.files import Listed
from import_project.sources.base import Listing, printable, safe
from import_project.sources.ftp_listing import Entry, NotAListing, read_facts, read_list, read_mlsd, read_time
from import_project.sources.ftp_login import FtpLogin, NotThere, connect, gone, shown, wire

_BLOCK = 256 * 1024
_LARGEST_LISTING = 256 << 20
_GOODBYE = 5.0  # seconds for a server to answer QUIT
_NEEDED_FACTS = {"type", "size", "modify"}


class FtpSession:
    """A connection whose working folder is the inbox. Paths are relative to it, or absolute.

    Steps raise ftplib's and the socket's own errors, NotThere and NotAListing, for `ftp_errors` to word. After an error
    the session is to be closed.
    """

    def __init__(self, login: FtpLogin, root: str) -> None:
        self._folders = {"", "/"}
        self._type = ""
        self._data: socket.socket | None = None
        #: whether it can be used no more: a transfer was left before its end
        self.spent = False
        self._ftp = connect(login)
        try:
            self._has_facts = self._agree()
            self._enter(wire(root))
            self._home = self._ftp.pwd() or wire(root)
        except BaseException:
            self._ftp.close()
            raise

    def _agree(self) -> bool:
        """Ask for UTF-8; return whether MLSD and MLST tell what is needed."""
        try:
            answer = self._ftp.sendcmd("FEAT")
        except ftplib.error_perm:
            return False
        features = {}
        for line in answer.split("\n")[1:-1]:
            word, _, rest = line.strip().partition(" ")
            features[word.upper()] = rest.lower()
        if "UTF8" in features:
            with contextlib.suppress(ftplib.error_perm):  # it speaks nothing else then
                self._ftp.sendcmd("OPTS UTF8 ON")
        if not {fact.rstrip("*") for fact in features.get("MLST", "").split(";")} >= _NEEDED_FACTS:
            return False
        with contextlib.suppress(ftplib.error_perm):  # it tells its usual facts then
            self._ftp.sendcmd("OPTS MLST type;size;modify;")
        return True

    def close(self) -> None:
        """Leave, with a word where the connection still stands."""
        with contextlib.suppress(OSError, EOFError, ftplib.Error):  # who does not answer is left all the same
            if self._ftp.sock is not None and not self.spent:
                self._ftp.sock.settimeout(_GOODBYE)
                self._ftp.sendcmd("QUIT")
        self._ftp.close()

    def cut(self) -> None:
        """End a step that another thread waits in: it gets an error at once."""
        self.spent = True
        for connection in (self._data, self._ftp.sock):
            if connection is not None:
                with contextlib.suppress(OSError):  # it has ended by itself
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def files_in(self, folder: str, wanted: Callable[[str], bool]) -> Listing:
        """List the wanted files of a folder, "" for the inbox itself. Raises NotThere when there is none, NotAListing.

        Without MLSD each wanted file is asked for alone (SIZE and MDTM): two answers to wait for per file.
        """
        self._enter(self._home)  # by name: a server may still stand in a folder that has been moved away
        if folder:
            self._enter(wire(folder))
        files, unsafe, refused = [], [], set()
        for entry in self._entries():
            if not entry.is_file or not wanted(entry.name):
                continue
            if not safe(entry.name):
                unsafe.append(printable(entry.name))
            elif exact := entry if self._has_facts else self.look(entry.name):
                files.append(_listed(entry.name, exact))
            else:
                refused.add(entry.name)
        if refused:
            # What is still there is listed as LIST tells it: its claim will say what is wrong.
            files += [_listed(e.name, e) for e in self._entries() if e.is_file and e.name in refused]
        self._ftp.cwd(self._home)
        return Listing(files=tuple(files), unsafe=tuple(unsafe))

    def look(self, path: str) -> Entry | None:
        """Return what a server tells about a file; None when there is none. The mtime is unknown to some servers.

        The server must know MLST, or SIZE.
        """
        try:
            if self._has_facts:
                return _from_mlst(self._ftp.sendcmd(f"MLST {wire(path)}"))
            self._as("I")  # a size in lines of text would be another
            size = self._ftp.size(wire(path)) or 0
        except ftplib.error_perm as refused:
            if not gone(refused):
                raise
            return None
        mtime = ""
        with contextlib.suppress(ftplib.error_perm):
            mtime = self._ftp.sendcmd(f"MDTM {wire(path)}")[4:]
        return Entry(name=posixpath.basename(path), is_file=True, size=size, mtime=read_time(mtime))

    def rename(self, old: str, new: str) -> bool:
        """Rename in one step on the server; False when there is no `old`. Many servers replace what `new` was."""
        try:
            self._ftp.rename(wire(old), wire(new))
        except ftplib.error_perm as refused:
            if not gone(refused) or self.look(old):
                raise
            return False
        return True

    def make_folder(self, folder: str) -> None:
        """Make a folder and those above it, where they are missing."""
        if folder in self._folders:
            return
        if not self._exists(folder):
            self.make_folder(posixpath.dirname(folder))
            try:
                self._ftp.mkd(wire(folder))
            except ftplib.error_perm:
                if not self._exists(folder):  # else another has made it meanwhile
                    raise
        self._folders.add(folder)

    def retrieve(self, path: str, size: int, take: Callable[[bytes], None]) -> None:
        """Give the first `size` bytes of a file to `take`, in blocks. Raises NotThere.

        A longer file is left in the middle, which spends the session.
        """
        self._as("I")
        try:
            with self._transfer(f"RETR {wire(path)}") as data, data.makefile("rb", buffering=_BLOCK) as content:
                left = size
                while left and (block := content.read(min(_BLOCK, left))):
                    take(block)
                    left -= len(block)
                self.spent = left == 0 and content.read(1) != b""
        except ftplib.error_perm as refused:
            if gone(refused) and not self.look(path):
                raise NotThere(shown(str(refused))) from None
            raise
        if not self.spent:
            self._ftp.voidresp()  # only this says that it was whole

    def store(self, path: str, content: bytes) -> None:
        """Write a file."""
        self._as("I")
        with self._transfer(f"STOR {wire(path)}") as data:
            data.sendall(content)
            if isinstance(data, ssl.SSLSocket):
                with contextlib.suppress(OSError):  # a server that closes first; its answer tells whether all is well
                    data.unwrap()
        self._ftp.voidresp()

    def delete(self, path: str) -> None:
        """Remove a file."""
        self._ftp.delete(wire(path))

    def _entries(self) -> list[Entry]:
        """List the working folder."""
        self._as("A")
        content = bytearray()
        with self._transfer("MLSD" if self._has_facts else "LIST") as data:
            while block := data.recv(_BLOCK):
                content += block
                if len(content) > _LARGEST_LISTING:
                    raise NotAListing("the listing does not end")
        self._ftp.voidresp()
        return read_mlsd(bytes(content)) if self._has_facts else read_list(bytes(content))

    def _enter(self, folder: str) -> None:
        try:
            self._ftp.cwd(folder)
        except ftplib.error_perm as refused:
            if not gone(refused):
                raise
            raise NotThere(shown(str(refused))) from None

    def _exists(self, folder: str) -> bool:
        try:
            self._ftp.cwd(wire(folder))
        except ftplib.error_perm:
            return False
        self._ftp.cwd(self._home)
        return True

    def _as(self, kind: str) -> None:
        if self._type != kind:
            self._ftp.voidcmd(f"TYPE {kind}")
            self._type = kind

    @contextlib.contextmanager
    def _transfer(self, command: str) -> Iterator[socket.socket]:
        data = self._data = self._ftp.transfercmd(command)
        try:
            yield data
        finally:
            self._data = None
            data.close()


def _listed(name: str, entry: Entry) -> Listed:
    return Listed(name=name, size=entry.size, mtime=entry.mtime)


def _from_mlst(answer: str) -> Entry:
    lines = answer.split("\n")
    entry = read_facts(lines[1].lstrip(" ")) if len(lines) > 2 else None
    if entry is None:
        raise NotAListing(f"the answer to MLST, {shown(answer)[:100]!r}, is in no known form")
    return entry
