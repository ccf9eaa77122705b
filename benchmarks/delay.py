"""A TCP proxy that holds everything back for a while, each way: a long link on one machine. `python -m benchmarks.delay
PORT MILLISECONDS`; it prints the port it listens on."""

import asyncio
import sys
from contextlib import suppress


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on what comes, each piece `seconds` after it came; the link is never narrower for it."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)

    async def deliver() -> None:
        while True:
            due, piece = await on_the_way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not piece:
                writer.close()
                return
            writer.write(piece)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 18):
            await on_the_way.put((loop.time() + seconds, piece))
    await on_the_way.put((loop.time() + seconds, b""))
    with suppress(ConnectionError):
        await delivery


async def main(port: int, milliseconds: float) -> None:
    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        seconds = milliseconds / 1000
        await asyncio.gather(carry(reader, far_writer, seconds), carry(far_reader, writer, seconds))

    server = await asyncio.start_server(link, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
