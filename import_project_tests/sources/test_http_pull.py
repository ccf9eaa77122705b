"""Files over HTTP against a real server, and everything that a server or a stranger in its place may answer."""

import asyncio
import base64
import logging
import os
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from import_project.errors import (
    ConfigError,
    FileChanged,
    FileVanished,
    HostKeyRefused,
    ImportProjectError,
    LoginRefused,
    SourceDenied,
    SourceUnreachable,
)
from import_project.records.files import Listed, Staged
from import_project.sources.base import Source
from import_project.sources.http_pull import HttpPlace, HttpPullSource
from import_project.store.landing import Landing
from import_project_tests.file_server import FilePeer, FileServer, file_server, make_certificate
from import_project_tests.sources.contract import (
    DROPPED_AT,
    UNSAFE_NAMES,
    Inbox,
    ListingContract,
    claim,
    listing,
    names,
    received,
    use,
)

NAMES = ["a.csv", "b.txt", "folder.csv", *UNSAFE_NAMES]
BIG = os.urandom(1_000_000)
SECRET = "canary-7f3a"  # looked for in every text


@dataclass
class HttpInbox:
    """The files below one path of the server."""

    peer: FilePeer

    def drop(self, path: str = "a.csv", content: bytes = b"hello") -> None:
        self.peer.files[f"/in/{path}"] = content
        self.peer.modified[f"/in/{path}"] = DROPPED_AT

    def read(self, path: str) -> bytes | None:
        return self.peer.files.get(f"/in/{path}")

    def paths(self) -> set[str]:
        return {path.removeprefix("/in/") for path in self.peer.files}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FileServer, FileServer]]:
    with file_server() as first, file_server() as second:
        yield first, second


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))[0]


@pytest.fixture(scope="module")
def secure_server(authority: Path) -> Iterator[FileServer]:
    with file_server(authority.with_name("server.pem")) as started:
        yield started


@pytest.fixture
def peer(servers: tuple[FileServer, FileServer]) -> FilePeer:
    return servers[0].fresh()


@pytest.fixture
def other(servers: tuple[FileServer, FileServer]) -> FilePeer:
    return servers[1].fresh()


def place(peer: FilePeer, *wanted: str) -> HttpPlace:
    urls = tuple(f"{peer.url}/in/{quote(name)}" for name in wanted or ("a.csv",))
    return HttpPlace(urls=urls, connect_timeout=5, step_timeout=10, pauses=(0.01, 0.02, 0.03, 0.04))


def staged(source: Source) -> Staged:
    (file,) = listing(source).files
    return Staged(name=file.name, held_as=file.name, version=file.version)


class TestHttpPull(ListingContract):
    @pytest.fixture
    def inbox(self, peer: FilePeer) -> HttpInbox:
        return HttpInbox(peer)

    @pytest.fixture
    def source(self, peer: FilePeer) -> HttpPullSource:
        return HttpPullSource(place(peer, *NAMES))

    def test_claim_holds_nothing_and_asks_for_the_version_that_was_seen(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        file = staged(source)
        assert [claim(source, file), claim(source, file)] == [True, True]
        assert use(source, lambda s: s.held(".processing")) == ()
        inbox.drop(content=b"other")
        assert claim(source, file) is False
        assert claim(source, replace(file, name="b.txt")) is False

    def test_nothing_can_be_written(self, inbox: Inbox, source: Source) -> None:
        inbox.drop()
        file = staged(source)
        for step in (
            lambda s: s.set_aside(file, ".archive/a.csv", if_taken=".archive/b.csv"),
            lambda s: s.try_out(".processing"),
        ):
            with pytest.raises(SourceDenied, match="only reads"):
                use(source, step)
        assert inbox.paths() == {"a.csv"}


class TestListing:
    """What a server may say about a file."""

    @pytest.fixture
    def source(self, peer: FilePeer) -> HttpPullSource:
        peer.files["/in/a.csv"] = b"hello"
        return HttpPullSource(place(peer))

    def test_gone_is_not_listed_whatever_page_says_so(self, peer: FilePeer, source: Source) -> None:
        for status in (404, 410):
            peer.faults.answer = (status, {"content-type": "text/html"})
            assert names(source) == set()

    @pytest.mark.parametrize("status", [403, 405, 501])  # 403: a presigned address is for GET alone
    @pytest.mark.parametrize("content", [b"hello", b""])
    @pytest.mark.parametrize("no_ranges", [False, True])
    def test_server_without_head(
        self, peer: FilePeer, source: Source, status: int, content: bytes, *, no_ranges: bool
    ) -> None:
        peer.files["/in/a.csv"] = content
        (seen,) = listing(source).files
        peer.faults.no_head, peer.faults.no_ranges = status, no_ranges
        assert listing(source).files == (seen,)
        assert peer.ranges()[0] == "bytes=0-0"

    @pytest.mark.parametrize("content", [b"hello", b""])
    @pytest.mark.parametrize("no_ranges", [False, True])
    def test_head_without_a_size(self, peer: FilePeer, source: Source, content: bytes, *, no_ranges: bool) -> None:
        peer.files["/in/a.csv"] = content
        (seen,) = listing(source).files
        peer.faults.no_head_size, peer.faults.no_ranges = True, no_ranges
        assert listing(source).files == (seen,)
        assert peer.ranges()[0] == "bytes=0-0"

    def test_refused_login_is_not_tried_on_by_other_ways(self, peer: FilePeer, source: Source) -> None:
        peer.authorization = "Bearer other"
        with pytest.raises(LoginRefused, match="answered 401"):
            listing(source)
        assert [asked.method for asked in peer.asked] == ["HEAD"]

    @pytest.mark.parametrize("fault", ["etag", "weak"])
    def test_last_modified_alone_is_enough(self, peer: FilePeer, source: Source, fault: str) -> None:
        setattr(peer.faults, fault, fault == "weak")
        (seen,) = listing(source).files
        assert seen == Listed(name="a.csv", size=5, mtime=datetime.fromtimestamp(DROPPED_AT, UTC))

    def test_etag_alone_is_enough(self, peer: FilePeer, source: Source) -> None:
        peer.faults.last_modified = False
        (seen,) = listing(source).files
        assert seen.mtime == datetime.fromtimestamp(0, UTC)
        assert (seen.version or "").startswith('"')

    @pytest.mark.parametrize("modified", ["", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT"])
    def test_nothing_tells_the_version(self, peer: FilePeer, source: Source, modified: str) -> None:
        peer.faults.weak, peer.faults.last_modified = True, False
        peer.faults.headers = {"last-modified": modified}
        with pytest.raises(SourceDenied, match="tells neither ETag nor Last-Modified"):
            listing(source)

    @pytest.mark.parametrize("no_head", [None, 405])
    def test_size_is_not_told(self, peer: FilePeer, source: Source, no_head: int | None) -> None:
        peer.faults.no_size, peer.faults.no_ranges, peer.faults.no_head = True, True, no_head
        with pytest.raises(SourceDenied, match="does not tell the file's size"):
            listing(source)

    @pytest.mark.parametrize("no_head", [None, 405])
    def test_login_page_is_no_file(self, peer: FilePeer, source: Source, no_head: int | None) -> None:
        peer.faults.no_head, peer.faults.headers = no_head, {"content-type": "Text/HTML; charset=utf-8"}
        with pytest.raises(SourceDenied, match="an HTML page came, perhaps a login page"):
            listing(source)

    def test_html_that_is_the_file(self, peer: FilePeer) -> None:
        peer.files["/in/report.HTML"], peer.faults.headers = b"<p>", {"content-type": "text/html"}
        assert names(HttpPullSource(place(peer, "report.HTML"))) == {"report.HTML"}

    def test_compressed_answer_is_refused(self, peer: FilePeer, source: Source) -> None:
        peer.faults.headers = {"content-encoding": "gzip"}
        with pytest.raises(SourceDenied, match="it came as gzip"):
            listing(source)
        assert {asked.headers["accept-encoding"] for asked in peer.asked} == {"identity"}

    @pytest.mark.parametrize(
        ("status", "headers", "error", "told"),
        [
            (401, {}, LoginRefused, "answered 401"),
            (403, {}, SourceDenied, "answered 403"),
            (407, {}, SourceUnreachable, "answered 407"),
            (429, {"retry-after": "30"}, SourceUnreachable, "Retry-After: 30"),
            (503, {"retry-after": "Tue, 14 Nov 2023 22:13:20 GMT"}, SourceUnreachable, "Retry-After: Tue, 14 Nov"),
            (500, {}, SourceUnreachable, "answered 500"),
            (304, {}, SourceDenied, "answered 304"),
            (302, {}, SourceDenied, "answered 302"),
            (204, {}, SourceDenied, "answered 204"),
            (400, {}, SourceDenied, "answered 400"),
            (405, {}, SourceDenied, "neither HEAD nor GET"),
        ],
    )
    def test_other_answers(
        self,
        peer: FilePeer,
        source: Source,
        status: int,
        headers: dict[str, str],
        error: type[ImportProjectError],
        told: str,
    ) -> None:
        peer.faults.answer = (status, headers)
        with pytest.raises(error, match=told):
            listing(source)

    def test_one_error_is_the_listings_and_not_a_shorter_listing(self, peer: FilePeer) -> None:
        peer.files |= {f"/in/{n}.csv": b"x" for n in range(20)}
        peer.faults.redirects["/in/7.csv"] = "ftp://127.0.0.1/in/7.csv"
        with pytest.raises(SourceDenied, match=r"/in/7\.csv redirects"):
            listing(HttpPullSource(place(peer, *(f"{n}.csv" for n in range(20)))))

    def test_a_few_addresses_are_asked_at_once_over_connections_that_stay(self, peer: FilePeer) -> None:
        peer.files |= {f"/in/{n}.csv": b"x" for n in range(24)}
        peer.faults.slow = 0.02
        source = HttpPullSource(place(peer, *(f"{n}.csv" for n in range(24))))
        assert len(names(source)) == len(names(source)) == 24
        assert 1 < peer.most_at_once <= 8
        assert len({asked.client for asked in peer.asked}) <= 2 * 8

    def test_server_that_never_answers(self, peer: FilePeer) -> None:
        peer.faults.stall_heads = True
        given = replace(place(peer), connect_timeout=0.3, step_timeout=0.3)
        began = time.monotonic()
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            listing(HttpPullSource(given))
        assert time.monotonic() - began < 5

    def test_nobody_listens(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.csv"
            with pytest.raises(SourceUnreachable, match=r"cannot look at http://127\.0\.0\.1"):
                listing(HttpPullSource(HttpPlace(urls=(url,))))

    def test_no_http_is_spoken_there(self) -> None:
        async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 ftp.acme.example ready\r\n")
            writer.close()
            await writer.wait_closed()

        async def look() -> None:
            server = await asyncio.start_server(rude, "127.0.0.1", 0)
            async with server:
                url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.csv"
                async with HttpPullSource(HttpPlace(urls=(url,))) as source:
                    await source.list(lambda _: True)

        with pytest.raises(SourceUnreachable):
            asyncio.run(look())


class TestBody:
    """How a body may break, and what is read in the end."""

    @pytest.fixture
    def source(self, peer: FilePeer) -> HttpPullSource:
        peer.files["/in/a.csv"] = BIG
        return HttpPullSource(place(peer))

    @pytest.fixture
    def landing(self, tmp_path: Path) -> Landing:
        return Landing(tmp_path / "landing")

    @pytest.mark.parametrize("fault", [None, "etag", "weak", "no_preconditions"])
    def test_cut_body_is_continued_where_it_stopped(
        self, peer: FilePeer, source: Source, landing: Landing, fault: str | None
    ) -> None:
        if fault is not None:
            setattr(peer.faults, fault, fault != "etag")
        file = staged(source)
        peer.faults.cuts = [500_000, 1, 250_000]
        assert received(source, file, len(BIG), landing) == BIG
        assert peer.ranges() == [None, "bytes=500000-", "bytes=500001-", "bytes=750001-"]
        rests = [asked.headers for asked in peer.asked if "range" in asked.headers]
        validator = {h["if-range"] for h in rests}
        assert validator == {file.version or "Tue, 14 Nov 2023 22:13:20 GMT"}

    def test_body_that_is_cut_again_and_again(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.cuts = [10] * 100
        with pytest.raises(SourceUnreachable, match="cut off after 50 of 1000000 bytes"):
            received(source, file, len(BIG), landing)
        assert len(peer.ranges()) == 5
        assert [p for p in landing.root.rglob("*") if p.is_file()] == []

    @pytest.mark.parametrize("no_preconditions", [False, True])
    @pytest.mark.parametrize("no_ranges", [False, True])
    @pytest.mark.parametrize("etag", [False, True])
    def test_never_bytes_of_two_versions(
        self, peer: FilePeer, source: Source, landing: Landing, *, no_preconditions: bool, no_ranges: bool, etag: bool
    ) -> None:
        peer.faults.etag = etag
        file = staged(source)

        def replace_it() -> None:
            peer.files["/in/a.csv"] = BIG[::-1]
            peer.modified["/in/a.csv"] = DROPPED_AT + 1

        peer.faults.no_preconditions, peer.faults.no_ranges = no_preconditions, no_ranges
        peer.faults.cuts, peer.faults.when_cut = [500_000], replace_it
        told = FileVanished if etag and not no_preconditions else FileChanged
        with pytest.raises(told, match="replaced"):
            received(source, file, len(BIG), landing)

    def test_young_last_modified_tells_no_version_and_nothing_is_continued(
        self, peer: FilePeer, source: Source, landing: Landing
    ) -> None:
        peer.faults.etag, peer.modified["/in/a.csv"] = False, time.time() - 5
        file = staged(source)
        peer.faults.cuts = [500_000]
        with pytest.raises(SourceUnreachable, match="cut off after 500000 of 1000000 bytes"):
            received(source, file, len(BIG), landing)

    def test_unchanged_file_of_a_server_without_ranges(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.no_ranges, peer.faults.cuts = True, [500_000]
        with pytest.raises(SourceUnreachable, match="cannot send the rest alone"):
            received(source, file, len(BIG), landing)
        assert received(source, file, len(BIG), landing) == BIG

    def test_other_part_than_asked(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)

        def lie() -> None:
            peer.faults.headers = {"content-range": "bytes 0-999999/1000000"}

        peer.faults.cuts, peer.faults.when_cut = [500_000], lie
        with pytest.raises(FileChanged, match="sends bytes 0-999999/1000000 where bytes 500000-999999/1000000 was"):
            received(source, file, len(BIG), landing)

    def test_replaced_before_it_is_read(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.files["/in/a.csv"] = BIG[::-1]
        with pytest.raises(FileVanished, match="replaced"):
            use(source, lambda s: s.facts(file))
        for no_preconditions, error in ((False, FileVanished), (True, FileChanged)):
            peer.faults.no_preconditions = no_preconditions
            with pytest.raises(error, match="replaced"):
                received(source, file, len(BIG), landing)

    @pytest.mark.parametrize("size", [len(BIG) - 1, len(BIG) + 1])
    def test_told_length_is_not_the_listed_size(self, source: Source, landing: Landing, size: int) -> None:
        file = staged(source)
        with pytest.raises(FileChanged, match=f"sends 1000000 where {size} was listed"):
            received(source, file, size, landing)

    def test_longer_than_listed_and_no_length_told(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.body = BIG + b"!"
        with pytest.raises(FileChanged, match="more than the 1000000 listed bytes came"):
            received(source, file, len(BIG), landing)

    def test_shorter_than_listed_and_no_length_told(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.no_size = True
        with pytest.raises(FileVanished, match=r"replaced \(416\)"):
            received(source, file, len(BIG) + 1, landing)
        assert peer.ranges() == [None, "bytes=1000000-"]
        peer.faults.body = b""
        with pytest.raises(SourceUnreachable, match="cut off after 0 of 1000000 bytes"):
            received(source, file, len(BIG), landing)

    def test_cut_before_the_first_byte(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.cuts = [0]
        with pytest.raises(SourceUnreachable, match=r"cannot read .*connection"):
            received(source, file, len(BIG), landing)
        assert received(source, file, len(BIG), landing) == BIG

    @pytest.mark.parametrize("after", [0, 500_000])
    def test_body_that_stalls(self, peer: FilePeer, source: Source, landing: Landing, after: int) -> None:
        file = staged(source)
        peer.faults.stall_after = after
        impatient = HttpPullSource(replace(place(peer), step_timeout=0.3))
        began = time.monotonic()
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            received(impatient, file, len(BIG), landing)
        assert time.monotonic() - began < 5

    def test_body_that_crawls(self, peer: FilePeer, source: Source, landing: Landing) -> None:
        file = staged(source)
        peer.faults.crawl = (1, 0.02)
        impatient = HttpPullSource(replace(place(peer), step_timeout=0.8))
        began = time.monotonic()
        with pytest.raises(SourceUnreachable, match=r"only \d+ bytes came in \d\.\d seconds"):
            received(impatient, file, len(BIG), landing)
        assert time.monotonic() - began < 5
        assert peer.ranges() == [None]
        peer.faults.crawl = (80_000, 0.1)  # longer than it may crawl, and fast enough
        assert received(impatient, file, len(BIG), landing) == BIG

    def test_slow_reader_is_no_slow_server(self, peer: FilePeer, source: Source) -> None:
        peer.files["/in/a.csv"], peer.faults.crawl = b"hello", (1, 0.01)
        file = staged(source)

        async def slowly(ready: Source) -> bytes:
            came = b""
            async for chunk in ready.open(file, 5):
                await asyncio.sleep(0 if came else 1)
                came += chunk
            return came

        assert use(HttpPullSource(replace(place(peer), step_timeout=0.8)), slowly) == b"hello"

    @pytest.mark.parametrize(
        ("headers", "told"),
        [({"content-type": "text/html"}, "login page"), ({"content-encoding": "gzip"}, "came as gzip")],
    )
    def test_page_or_compressed_body_is_not_imported(
        self, peer: FilePeer, source: Source, landing: Landing, headers: dict[str, str], told: str
    ) -> None:
        file = staged(source)
        peer.faults.headers = headers
        with pytest.raises(SourceDenied, match=told):
            received(source, file, len(BIG), landing)

    def test_address_that_the_feed_no_longer_has(self, source: Source, landing: Landing) -> None:
        yesterday = Staged(name="b.csv", held_as="b.csv")
        with pytest.raises(FileVanished, match=r"no address of the feed ends with b\.csv any more"):
            received(source, yesterday, 5, landing)
        assert claim(source, yesterday) is False


class TestRedirects:
    """Where a server may send us, and what goes with us."""

    @pytest.fixture
    def given(self, peer: FilePeer) -> HttpPlace:
        peer.files["/store/7"], peer.authorization = b"hello", f"Bearer {SECRET}"
        return replace(place(peer), token=SECRET)

    def test_same_host(self, peer: FilePeer, given: HttpPlace, tmp_path: Path) -> None:
        peer.faults.redirects = {"/in/a.csv": "/hop?x=1", "/hop": f"{peer.url}/store/7"}
        source = HttpPullSource(given)
        assert names(source) == {"a.csv"}
        assert received(source, staged(source), 5, Landing(tmp_path)) == b"hello"

    def test_login_page_at_the_end(self, peer: FilePeer, given: HttpPlace) -> None:
        peer.faults.redirects, peer.faults.headers = {"/in/a.csv": "/store/7"}, {"content-type": "text/html"}
        with pytest.raises(SourceDenied, match="perhaps a login page"):
            listing(HttpPullSource(given))

    def test_too_many(self, peer: FilePeer, given: HttpPlace) -> None:
        peer.faults.redirects = {"/in/a.csv": "/in/a.csv"}
        with pytest.raises(SourceDenied, match="redirects more than 5 times"):
            listing(HttpPullSource(given))
        assert len(peer.asked) == 6

    def test_other_host_is_refused_and_not_asked(self, peer: FilePeer, other: FilePeer, given: HttpPlace) -> None:
        peer.faults.redirects = {"/in/a.csv": other.url.replace("127.0.0.1", "LOCALHOST") + f"/a?key={SECRET}"}
        with pytest.raises(SourceDenied, match="redirects to localhost") as error:
            listing(HttpPullSource(given))
        assert SECRET not in str(error.value)
        assert other.asked == []

    def test_allowed_host_gets_no_credentials(
        self, peer: FilePeer, other: FilePeer, given: HttpPlace, tmp_path: Path
    ) -> None:
        other.files["/store/7"] = b"hello"
        foreign = other.url.replace("http://127.0.0.1", "http://user:word@localhost")
        peer.faults.redirects = {"/in/a.csv": f"{foreign}/store/7"}
        source = HttpPullSource(replace(given, allow_hosts=("LocalHost",)))
        assert received(source, staged(source), 5, Landing(tmp_path)) == b"hello"
        assert {asked.path for asked in other.asked} == {"/store/7"}
        assert [asked for asked in other.asked if "authorization" in asked.headers] == []

    def test_other_port_of_the_host_gets_no_credentials(
        self, peer: FilePeer, other: FilePeer, given: HttpPlace
    ) -> None:
        other.files["/store/7"] = b"hello"
        peer.faults.redirects = {"/in/a.csv": f"{other.url}/store/7"}
        assert names(HttpPullSource(given)) == {"a.csv"}
        assert [asked for asked in other.asked if "authorization" in asked.headers] == []

    @pytest.mark.parametrize("target", ["ftp://127.0.0.1/a.csv", "file:///etc/passwd"])
    def test_other_protocols(self, peer: FilePeer, given: HttpPlace, target: str) -> None:
        peer.faults.redirects = {"/in/a.csv": target}
        with pytest.raises(SourceDenied, match="redirects"):
            listing(HttpPullSource(given))

    def test_address_that_is_none(self, peer: FilePeer, given: HttpPlace) -> None:
        peer.faults.redirects = {"/in/a.csv": "http://[::1"}
        with pytest.raises(SourceUnreachable):
            listing(HttpPullSource(given))


class TestTls:
    """Whom we trust."""

    @pytest.fixture
    def secure(self, secure_server: FileServer) -> FilePeer:
        peer = secure_server.fresh()
        peer.files["/in/a.csv"] = BIG
        return peer

    def test_unknown_authority_is_refused_before_the_token_leaves(self, secure: FilePeer) -> None:
        with pytest.raises(HostKeyRefused, match=r"certificate.*ca_file"):
            listing(HttpPullSource(replace(place(secure), token=SECRET)))
        assert secure.asked == []

    def test_certificate_for_another_name_is_refused(self, secure: FilePeer, authority: Path) -> None:
        url = secure.url.replace("127.0.0.1", "localhost") + "/in/a.csv"
        with pytest.raises(HostKeyRefused, match="localhost"):
            listing(HttpPullSource(HttpPlace(urls=(url,), ca_file=authority)))

    def test_known_authority(self, secure: FilePeer, authority: Path, tmp_path: Path) -> None:
        source = HttpPullSource(replace(place(secure), ca_file=authority))
        file = staged(source)
        secure.faults.cuts = [500_000]
        assert received(source, file, len(BIG), Landing(tmp_path / "landing")) == BIG
        secure.faults.stall_after = 500_000
        with pytest.raises(SourceUnreachable, match="no answer in time"):
            received(
                HttpPullSource(replace(place(secure), ca_file=authority, step_timeout=0.3)),
                file,
                len(BIG),
                Landing(tmp_path / "landing"),
            )

    def test_redirect_may_lead_to_tls_and_not_away_from_it(
        self, peer: FilePeer, secure: FilePeer, authority: Path
    ) -> None:
        peer.faults.redirects = {"/in/a.csv": f"{secure.url}/in/a.csv"}
        assert names(HttpPullSource(replace(place(peer), ca_file=authority))) == {"a.csv"}
        peer.asked.clear()
        peer.faults.redirects, peer.files["/in/a.csv"] = {}, b"hello"
        secure.faults.redirects = {"/in/a.csv": f"{peer.url}/in/a.csv"}
        with pytest.raises(SourceDenied, match="redirects from https to http"):
            listing(HttpPullSource(replace(place(secure), ca_file=authority)))
        assert peer.asked == []

    def test_stream_that_somebody_breaks_into(self, authority: Path) -> None:
        async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            os.write(writer.get_extra_info("socket").fileno(), b"past the encryption")
            await reader.read()
            writer.close()

        async def look() -> None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(authority.with_name("server.pem"))
            server = await asyncio.start_server(broken, "127.0.0.1", 0, ssl=context)
            async with server:
                url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.csv"
                async with HttpPullSource(HttpPlace(urls=(url,), ca_file=authority)) as source:
                    await source.list(lambda _: True)

        with pytest.raises(SourceUnreachable):
            asyncio.run(look())

    def test_authority_that_cannot_be_read(self, secure: FilePeer, tmp_path: Path) -> None:
        (tmp_path / "none.pem").write_text("no certificate", "utf-8")
        for name in ("none.pem", "missing.pem"):
            with pytest.raises(ConfigError, match=f"the certificates in .*{name} cannot be used"):
                listing(HttpPullSource(replace(place(secure), ca_file=tmp_path / name)))


class TestPlace:
    """What can be given, and what is never shown."""

    @pytest.mark.parametrize(
        ("urls", "told"),
        [
            (("https://a.example/x/a.csv", "https://b.example/a.csv?x=1"), "b.example/a.csv ends with the name of"),
            (("https://a.example/x/a.csv", "https://a.example/%61.csv"), "ends with the name of another address"),
            (("https://a.example/x/",), "https://a.example/x/ ends with no file name"),
            (("https://a.example",), "ends with no file name"),
            (("ftp://a.example/a.csv",), "address 1 must be http or https"),
            (("https:///a.csv",), "address 1 must be http or https"),
            (("https://a.example/b.csv", "https://user:word@a.example/a.csv"), "address 2 must be .* without a login"),
            (("https://a.example:port/a.csv",), "address 1 must be http"),
        ],
    )
    def test_addresses_that_cannot_be_used(self, urls: tuple[str, ...], told: str) -> None:
        with pytest.raises(ConfigError, match=told) as error:
            HttpPullSource(HttpPlace(urls=urls))
        assert "word" not in str(error.value)

    @pytest.mark.parametrize("token", ["", f"{SECRET}\n", f"{SECRET}\r\nX: y", f"{SECRET} x", f"{SECRET}é"])
    def test_token_that_cannot_be_sent(self, peer: FilePeer, token: str) -> None:
        with pytest.raises(ConfigError, match="the token") as error:
            HttpPullSource(replace(place(peer), token=token))
        assert SECRET not in str(error.value)

    def test_logins(self, peer: FilePeer) -> None:
        peer.files["/in/a.csv"] = b"hello"
        peer.authorization = "Basic " + base64.b64encode("åke:lösen:ord".encode()).decode()
        assert names(HttpPullSource(replace(place(peer), username="åke", password="lösen:ord"))) == {"a.csv"}
        for given in (place(peer), replace(place(peer), token="wrong"), replace(place(peer), username="åke")):
            with pytest.raises(LoginRefused):
                listing(HttpPullSource(given))

    def test_query_is_sent_and_is_no_part_of_the_name(self, peer: FilePeer) -> None:
        name = "caf\u00e9 1.csv"
        peer.files[f"/in/{name}"] = b"hello"
        url = f"{peer.url}/in/{quote(name)}?signature=a%2Fb%3D"
        assert names(HttpPullSource(HttpPlace(urls=(url,)))) == {name}
        assert [asked.query for asked in peer.asked] == [b"signature=a%2Fb%3D"]

    def test_name_that_is_no_text_is_told_and_stops_no_listing(self, peer: FilePeer) -> None:
        peer.files |= {"/in/caf\ufffd.csv": b"x", "/in/a/b.csv": b"x", "/in/a.csv": b"x"}
        urls = tuple(f"{peer.url}/in/{name}" for name in ("caf%E9.csv", "a%2Fb.csv", "a.csv"))
        found = listing(HttpPullSource(HttpPlace(urls=urls)))
        assert [file.name for file in found.files] == ["a.csv"]
        assert len(found.unsafe) == 2

    @pytest.mark.parametrize("fault", ["401", "500", "stall", "redirect", "cut", "replaced", "nobody"])
    def test_no_text_shows_a_secret(
        self, peer: FilePeer, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        peer.files["/in/a.csv"] = BIG
        url = f"{peer.url}/in/a.csv?key={SECRET}"
        given = HttpPlace(urls=(url,), token=SECRET, step_timeout=0.3, connect_timeout=0.3)
        file = staged(HttpPullSource(given))
        peer.faults.answer = (int(fault), {}) if fault.isdigit() else None
        peer.faults.stall_heads = fault == "stall"
        peer.faults.redirects = {"/in/a.csv": "http://localhost/x"} if fault == "redirect" else {}
        peer.faults.cuts = [0] if fault == "cut" else []
        if fault == "replaced":
            peer.files["/in/a.csv"] = b""
        if fault == "nobody":
            given = replace(given, urls=(f"http://127.0.0.1:1/in/a.csv?key={SECRET}",))
        with pytest.raises(ImportProjectError) as error:
            received(HttpPullSource(given), file, len(BIG), Landing(tmp_path))
        login = SECRET, base64.b64encode(SECRET.encode()).decode()
        told = (
            "".join(traceback.format_exception(error.value)) + repr(given) + repr(HttpPullSource(given)) + caplog.text
        )
        assert str(urlsplit(given.urls[0]).port) in str(error.value)
        assert [secret for secret in login if secret in told] == []
