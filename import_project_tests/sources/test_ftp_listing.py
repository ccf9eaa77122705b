"""What FTP servers write about their files, line by line."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from import_project.sources.ftp_listing import UNKNOWN_TIME, Entry, NotAListing, read_list, read_mlsd


def names(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(e.name, e.size) for e in entries if e.is_file]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-rw-r--r--    1 1000     1000           5 Nov 14 22:13 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov 14  2023 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp   3000000000 Feb 29  2024 a b  c.csv", ("a b  c.csv", 3_000_000_000)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov  4 02:13  leading.csv", (" leading.csv", 5)),
        ("-rw-r--r--    1 ftp      ftp            5 Nov  4 02:13 9 Nov 14 22:13 x.csv", ("9 Nov 14 22:13 x.csv", 5)),
        ("-rw-r--r--+   1 CORP\\Domain Users g     5 Nov  4 02:13 a.csv", ("a.csv", 5)),
        ("-rwsr-xr-t.   1 me                     5 Nov  4 02:13 a.csv", ("a.csv", 5)),
        ("-rw-r--r--    1 me  us                 5 2023-11-14 22:13 a.csv", ("a.csv", 5)),
        ("lrwxrwxrwx    1 ftp      ftp           11 Nov 14 22:13 a.csv -> /etc/passwd", None),
        ("drwxr-xr-x    2 ftp      ftp         4096 Nov 14 22:13 a.csv", None),
        ("prw-r--r--    1 ftp      ftp            0 Nov 14 22:13 a.csv", None),
        ("crw-rw-rw-    1 root     root       1,   3 Nov 14 22:13 a.csv", None),
        ("11-14-23  10:13PM                    5 a b.csv", ("a b.csv", 5)),
        ("11-14-2023  22:13                    5 a.csv", ("a.csv", 5)),
        ("11-14-23  10:13PM       <DIR>          a.csv", None),
        ("11-14-23  10:13PM       <SYMLINK>      a.csv", None),
    ],
)
@pytest.mark.parametrize("around", ["{}\r\n", "total 1\r\n{}\r\n", "{}", "{}\n"])
def test_lines_of_list(line: str, expected: tuple[str, int] | None, around: str) -> None:
    assert names(read_list(around.format(line).encode())) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("type=file;size=5;modify=20231114221320; a b.csv", ("a b.csv", 5)),
        ("Type=File;Size=5;Modify=20231114221320.123;UNIX.mode=0644;  a.csv", (" a.csv", 5)),
        ("type=file;size=5;modify=20231114221320;perm=r; a;b=c; d.csv", ("a;b=c; d.csv", 5)),
        ("type=OS.unix=slink:/etc/pass wd;size=5; a.csv", None),
        ("type=OS.unix=symlink;size=5; a.csv", None),
        ("type=dir;modify=20231114221320; a.csv", None),
        ("type=cdir;modify=20231114221320; .", None),
    ],
)
def test_lines_of_mlsd(line: str, expected: tuple[str, int] | None) -> None:
    assert names(read_mlsd(f"{line}\r\n".encode())) == ([expected] if expected else [])


def test_times_of_mlsd() -> None:
    times = {"20231114221320": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), "19100": UNKNOWN_TIME, "": UNKNOWN_TIME}
    for text, expected in times.items():
        (entry,) = read_mlsd(f"type=file;size=5;modify={text}; a.csv\r\n".encode())
        assert entry.mtime == expected


@pytest.mark.parametrize("read", [read_list, read_mlsd])
def test_name_with_line_breaks_is_one_name(read: Callable[[bytes], list[Entry]]) -> None:
    begin = b"type=file;size=5; " if read is read_mlsd else b"-rw-r--r-- 1 u g 5 Nov 14 22:13 "
    entries = read(begin + b"a.csv\r\nb.csv\r\n" + begin + b"c\nd.csv\r\n" + begin + b"e.csv\r\n")
    assert [e.name for e in entries] == ["a.csv\r\nb.csv", "c\nd.csv", "e.csv"]


@pytest.mark.parametrize("content", [b"", b"total 0\r\n", b"\r\n"])
def test_empty_listings(content: bytes) -> None:
    assert read_list(content) == []


@pytest.mark.parametrize("read", [read_list, read_mlsd])
@pytest.mark.parametrize("content", [b"A.CSV;1  5/9  14-NOV-2023 22:13\r\n", b"a.csv\r\n", b"-" * 100_000])
def test_listing_in_no_known_form_is_an_error(read: Callable[[bytes], list[Entry]], content: bytes) -> None:
    with pytest.raises(NotAListing, match="no known form"):
        read(content)


def test_long_line_that_is_none_is_passed_at_once() -> None:
    """Its blanks were tried in all ways there are."""
    lines = [b"-rw-r--r-- " + b" " * 8000 + b"x", b"-rw-r--r-- " + b"1 " * 4000 + b"x"] * 500
    (one,) = read_list(b"\r\n".join([b"-rw-r--r-- 1 o g 5 Nov 20 10:00 a.csv", *lines]))
    assert one.name.startswith("a.csv\r\n"), "a name may have line breaks"
