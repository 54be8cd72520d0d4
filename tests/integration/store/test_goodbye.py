"""The end of a program that has just used a bucket."""

import subprocess
import sys

from producer.settings import Settings

# The thread that brings an answer takes its time after the answer is there, as it may on a busy machine.
SLOW = """
import asyncio, sys, threading, time
from asyncio import selector_events
from producer.settings import Settings
from producer.store import open_store

loop = selector_events.BaseSelectorEventLoop
write = loop._write_to_self

def write_slowly(self):
    write(self)
    if threading.get_ident() != threading.main_thread().ident:
        time.sleep(0.3)

loop._write_to_self = write_slowly

async def main():
    async with open_store(Settings(store_url=sys.argv[1], store_endpoint_url=sys.argv[2])) as store:
        await store.put(b"b")

asyncio.run(main())
"""


def test_a_program_ends_in_order_while_an_answer_is_still_being_brought(s3_settings: Settings) -> None:
    command = [sys.executable, "-c", SLOW, s3_settings.store_url, s3_settings.store_endpoint_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
