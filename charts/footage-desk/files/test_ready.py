"""What `helm test` runs: the portal answers /readyz, and the gateway its Topology.

test_ready.py http://portal:9600/readyz ...
"""

import asyncio
import sys
import urllib.request

from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.settings import Settings


def ask(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  # an address of the release
        sys.stdout.write(f"{address} answers {answer.status}\n")


async def ask_gateway() -> None:
    channel = open_channel(Settings.load())
    try:
        if not await PyzeebeEngineClient(channel).healthy():
            sys.exit("the gateway does not answer")
        sys.stdout.write("the gateway answers\n")
    finally:
        await channel.close()


for one in sys.argv[1:]:
    ask(one)
asyncio.run(ask_gateway())
