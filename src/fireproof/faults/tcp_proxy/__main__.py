"""``python -m fireproof.faults.tcp_proxy --api HOST:PORT [NAME=LISTEN=UPSTREAM ...]``."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys

from fireproof.faults.tcp_proxy.api import serve
from fireproof.faults.tcp_proxy.proxies import Proxies, parse_address
from fireproof.faults.tcp_proxy.toxics import Refused

USAGE = "usage: python -m fireproof.faults.tcp_proxy --api HOST:PORT [NAME=LISTEN=UPSTREAM ...]"


async def _work(api: tuple[str, int], wanted: list[list[str]]) -> None:
    proxies, over = Proxies(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, over.set)
    for name, listen, upstream in wanted:
        await proxies.create({"name": name, "listen": listen, "upstream": upstream})
    server = await serve(proxies, *api)
    print(f"api on {api[0]}:{server.sockets[0].getsockname()[1]}", flush=True)
    gc.freeze()
    await over.wait()
    server.close()
    proxies.stop()
    await asyncio.sleep(0)  # aborted connections are closed one turn later


def main(argv: list[str]) -> int:
    """Exit 0 after SIGTERM, 1 when a port cannot be had, 2 for a wrong call."""
    wanted = [word.split("=") for word in argv[2:]]
    if len(argv) < 2 or argv[0] != "--api" or any(len(parts) != 3 for parts in wanted):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        asyncio.run(_work(parse_address(argv[1], "--api"), wanted))
    except (Refused, OSError) as err:
        print(f"tcp_proxy: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
