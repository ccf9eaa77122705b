"""What a small team writes to import files, as a peer: run by the peers' interpreter, which has nothing of ours.

`plain`: a loop over the inbox; each row parsed by itself and posted with a client of its own. `antflow`: the same work
as the stages of an AntFlow pipeline, one client for all. Neither checks a row or remembers a file.
"""

# ruff: noqa: ASYNC240 - it is what they write

import asyncio
import csv
import sys
from pathlib import Path

import httpx


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=";"))


async def plain(inbox: Path, url: str) -> None:
    for path in sorted(inbox.iterdir()):
        for row in rows_of(path):
            async with httpx.AsyncClient() as client:
                answer = await client.post(f"{url}/orders", json=row, headers={"Idempotency-Key": row["order_id"]})
                answer.raise_for_status()
        path.unlink()


async def antflow(inbox: Path, url: str) -> None:
    from antflow import Pipeline

    async with httpx.AsyncClient() as client:

        async def read(path: Path) -> tuple[Path, list[dict[str, str]]]:
            return path, rows_of(path)

        async def post(read_: tuple[Path, list[dict[str, str]]]) -> Path:
            path, rows = read_
            for row in rows:
                answer = await client.post(f"{url}/orders", json=row, headers={"Idempotency-Key": row["order_id"]})
                answer.raise_for_status()
            return path

        async def remove(path: Path) -> None:
            path.unlink()

        stages = Pipeline.create().add("read", read, workers=2).add("post", post, workers=8)
        await stages.add("remove", remove, workers=1).run(sorted(inbox.iterdir()))


if __name__ == "__main__":
    asyncio.run({"plain": plain, "antflow": antflow}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]))
