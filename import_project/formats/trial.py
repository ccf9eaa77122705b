"""A first look at files whose readers are native code, in a process of its own: what would end it ends only that
process.

Damage has been seen to break out of Arrow's ORC reader and fastavro, and a sheet of a few kilobytes to ask for
terabytes. The trial reads the whole file, keeps nothing, and may use no more than MOST_MEMORY and MOST_SECONDS.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

from import_project.errors import NotAllowed, Unreadable

#: The formats that are tried so.
NATIVE = frozenset({"excel", "avro", "orc", "parquet"})
MOST_MEMORY, MOST_SECONDS = 4 << 30, 300


def try_out(name: str, content: BinaryIO, options: Mapping[str, Any]) -> None:
    """Read a file of a native format in another process, then go back to its start; others need no trial.

    Raises NotAllowed for a file that takes more memory or time than it may, Unreadable for one that ends its reader.
    """
    if name not in NATIVE:
        return
    content.seek(0)
    program = [sys.executable, "-m", "import_project.formats.trial", name, json.dumps(dict(options))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:  # noqa: S603
        assert child.stdin is not None
        assert child.stderr is not None
        try:
            while block := content.read(1 << 20):
                child.stdin.write(block)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it has ended: its code says why
        told = child.stderr.read()[-2_000:].decode(errors="replace").strip().splitlines()
        code = child.wait()
    content.seek(0)
    if code in {0, _OURS}:  # our own errors are met again, and told by the reader itself
        return
    if code == _NO_MEMORY or any("alloc" in line for line in told):
        raise NotAllowed(f"the file takes more than {MOST_MEMORY >> 30} GiB of memory to read")
    if code in {-24, -9}:
        raise NotAllowed(f"the file takes more than {MOST_SECONDS} seconds to read")
    raise Unreadable(f"the file ends its reader ({f'signal {-code}' if code < 0 else f'exit {code}'})")


_OURS, _NO_MEMORY = 3, 4


def _main(name: str, options: str) -> int:
    import io
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    from import_project.errors import ImportProjectError
    from import_project.formats.registry import batches

    try:
        content = io.BytesIO(sys.stdin.buffer.read())
        for _ in batches(name, content, json.loads(options)):
            pass
    except MemoryError:
        return _NO_MEMORY
    except ImportProjectError as error:
        return _NO_MEMORY if "alloc" in error.what or "memory" in error.what else _OURS
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
