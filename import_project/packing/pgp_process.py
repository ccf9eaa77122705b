"""The program of the process that decrypts one PGP message: a job as JSON comes in, [failed step, why] goes out.

It imports nothing of ours, so that it starts fast, and runs by its path.
"""

import json
import resource
import sys
from typing import Any

# The library needs some 150 MB, however large the message is; the message itself is mapped, and does not count.
_MEMORY = 1 << 30


def main() -> None:
    """Do the job on standard input, within limits, and say how it went on standard output."""
    job = json.load(sys.stdin)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),  # a core file would hold the key
        (resource.RLIMIT_FSIZE, job["most"]),
        (resource.RLIMIT_DATA, _MEMORY),
    ):
        _lower(limit, most)
    json.dump(_decrypt(job), sys.stdout)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _decrypt(job: dict[str, Any]) -> tuple[str, str]:
    import pysequoia

    try:
        key = pysequoia.Tsk.from_bytes(job["key"].encode()).decryptor(job["passphrase"])
    except Exception as error:  # noqa: BLE001 - the library's errors have no common class
        # The first line only, because the library may show the whole key behind it.
        return "key", str(error).partition("\n")[0][:200]
    try:
        pysequoia.decrypt_file(input=job["source"], output=job["target"], decryptor=key)
    except Exception as error:  # noqa: BLE001 - as above
        return "message", str(error).partition("\n")[0][:200]
    return "", ""


if __name__ == "__main__":
    main()
