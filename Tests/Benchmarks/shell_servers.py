"""The servers of the shells: found, stopped, and put behind a slow link."""

import asyncio
import os
import signal
import threading
import time


def processes(word):
    """The processes whose command line has the word."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if word.encode() in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass
    return found


def is_stopped(process):
    """Whether each of its threads stands still."""
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] not in "Tt":
                    return False
    except OSError:
        pass
    return True


def pause(stopped):
    """Stops processes; what it returns lets them go on."""
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    while not all(map(is_stopped, stopped)):
        time.sleep(0.0005)
    return lambda: [os.kill(process, signal.SIGCONT) for process in stopped]


class SlowLink:
    """Passes bytes on, each way half of the delay later. It runs in a thread until the program ends."""

    def __init__(self, seconds, listen, connect):
        self.delay, self.listen, self.connect = seconds / 2, listen, connect
        self.port, self.ready = None, threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()
        self.ready.wait()

    async def serve(self):
        server = await (asyncio.start_unix_server(self.accept, self.listen) if self.listen
                        else asyncio.start_server(self.accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1] if not self.listen else None
        self.ready.set()
        await asyncio.Future()

    async def accept(self, reader, writer):
        ours = await (asyncio.open_unix_connection(self.connect) if isinstance(self.connect, str)
                      else asyncio.open_connection("127.0.0.1", self.connect))
        await asyncio.gather(self.carry(reader, ours[1]), self.carry(ours[0], writer))

    async def carry(self, reader, writer):
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(1 << 16):
                loop.call_later(self.delay, writer.write, data)
        except OSError:
            pass
        loop.call_later(self.delay, writer.close)
