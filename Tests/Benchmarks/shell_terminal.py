"""Programs on pseudo terminals, with the time at which they show something."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(rb"\x1b\[[0-9;?<=>!]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[@-Z\\-_=>]")
# What a program asks a terminal: where the cursor is, what it is, which modes and colours it has.
QUESTION = re.compile(
    rb"\x1b\[\??[0-9]*n|\x1b\[[>=]?[0-9]*c|\x1b\]1?[0-9];\?|\x1b\[\?[0-9]+\$p|\x1bP\+q|\x1b\[\?u|\x1bZ|\x1b\[>[0-9]*q")


def plain(data):
    """What is left without colours and movements of the cursor."""
    return SEQUENCE.sub(b"", data)


class Terminal:
    """A program on a terminal of 40 rows and 160 columns."""

    def __init__(self, command, home, environment=None):
        self.log = b""
        self.started = time.perf_counter()
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            variables = {"TERM": "xterm", "PAGER": "cat", "NEXA_PAGER": "", "HOME": home, "LANG": "C.UTF-8",
                         "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "COLUMNS": "160", "LINES": "40"}
            os.chdir(home)  # a line that arrives in pieces may name a file
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
            os.execvpe(command[0], command, variables | (environment or {}))
        os.set_blocking(self.descriptor, False)

    def read(self, seconds):
        """Takes in what is shown within the time, or nothing."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return b""
        self.log += data
        return data

    def send(self, data):
        """Types, and takes in what is shown meanwhile."""
        while data:
            readable, writable, _ = select.select([self.descriptor], [self.descriptor], [], 10)
            if readable:
                self.read(0)
            if not writable:
                if not readable:
                    return
                continue
            try:
                data = data[os.write(self.descriptor, data[:4096]):]
            except BlockingIOError:
                pass

    def wait(self, wanted, start=0, seconds=10):
        """The time at which it stood in what was shown behind `start`; None when it did not come."""
        end = time.perf_counter() + seconds
        while True:
            # Long answers are only looked at where they grow.
            if wanted in plain(self.log[max(start, len(self.log) - (1 << 18)):]):
                return time.perf_counter()
            left = end - time.perf_counter()
            if left <= 0:
                return None
            self.read(min(left, 0.5))

    def settle(self, seconds=0.03):
        """Until nothing is shown for a moment."""
        while self.read(seconds):
            pass

    def answer(self, line, wanted, seconds=10):
        """Types a line and waits for its answer: milliseconds between the two, or None."""
        mark = len(self.log)
        start = time.perf_counter()
        self.send(line)
        end = self.wait(wanted, mark, seconds)
        return None if end is None else (end - start) * 1000

    def numbers(self, start):
        """The numbers of the lines `n: 5`, in their order."""
        lines = re.split(rb"[\r\n]+", plain(self.log[start:]))
        found = (re.fullmatch(rb'"?n: ?([0-9]+)"? *', line.strip()) for line in lines)
        return [int(match.group(1)) for match in found if match]

    def close(self):
        """Ends the program."""
        try:
            os.kill(self.process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.process, 0)
        os.close(self.descriptor)
