"""One function for each goal of the shell: what it measures of a program, as the text of a cell."""

import os
import re
import signal
import statistics
import subprocess
import threading
import time

from shell_terminal import QUESTION, Terminal, plain


class Cell:
    """What was measured: the text, and the number that the goal is about."""

    def __init__(self, text, number=None):
        self.text, self.number = text, number


def rank(values, part):
    """The value that `part` of all are not above."""
    values = sorted(values)
    return values[min(len(values) - 1, max(0, -(-len(values) * part // 100) - 1))]


def milliseconds(values, wanted=50):
    """Median and p99 of times, None of which may be missing."""
    if not values or None in values:
        return Cell("never", float("inf"))
    digits = 2 if statistics.median(values) < 1 else 1
    text = f"{statistics.median(values):.{digits}f} ms, p99 {rank(values, 99):.{digits}f}"
    return Cell(text, rank(values, wanted) if wanted != 50 else statistics.median(values))


def sample(process, peak):
    """The most memory that a process had, in KiB; what the system says of a child counts this program's memory, too."""
    while True:
        try:
            with open(f"/proc/{process}/status") as file:
                peak[0] = next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0) or peak[0]
        except OSError:
            return
        if peak[0] == 0:
            return
        time.sleep(0.01)


def run(command, stdin=None, pipes_output=False):
    """Seconds of a command that must succeed, its processor time and its peak of memory in MiB."""
    reader = writer = None
    if pipes_output:
        reading, writing = os.pipe()
        reader = subprocess.Popen(["wc", "-c"], stdin=reading, stdout=subprocess.PIPE)
        os.close(reading)
        output = writing
    else:
        output = subprocess.DEVNULL
    if stdin:
        writer = subprocess.Popen(["cat", stdin], stdout=subprocess.PIPE)
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=writer.stdout if writer else subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE)
    if writer:
        writer.stdout.close()
    if pipes_output:
        os.close(writing)
    peak = [0]
    sampling = threading.Thread(target=sample, args=(process.pid, peak))
    if stdin or pipes_output:
        sampling.start()
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    size = int(reader.communicate()[0]) if reader else 0
    seconds = time.perf_counter() - start
    if writer:
        writer.wait()
    if process.returncode != 0:
        raise SystemExit(f"{command}: {process.returncode} {errors}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "memory": peak[0] / 1024, "size": size,
            "errors": errors}


def opened(program, command=None, environment=None):
    """The program at its prompt."""
    terminal = Terminal(command or program.command, program.home, environment)
    if terminal.wait(program.prompt) is None:
        raise SystemExit(f"{program.name}: no prompt within 10 s, but {terminal.log[-200:]!r}")
    terminal.settle()
    return terminal


def start(program, command=None, rounds=101, environment=None, prompt=None):
    """From the start of the program to its prompt."""
    times = []
    for _ in range(rounds):
        terminal = Terminal(command or program.command, program.home, environment)
        end = terminal.wait(prompt or program.prompt)
        terminal.close()
        if end is None:
            raise SystemExit(f"{program.name}: no prompt within 10 s, but {terminal.log[-200:]!r}")
        times.append((end - terminal.started) * 1000)
    return times


def start_with_history(program):
    """The same with 100 000 lines of history, which are gone afterwards."""
    name, head, line = program.history
    path = f"{program.home}/{name}"
    with open(path, "w") as file:
        file.write(head + "".join(line % number for number in range(100_000)))
    os.chmod(path, 0o600)
    is_ours = program.name == "nexa"
    command = program.command + (["-d", "many"] if is_ours else [])
    times = start(program, command, 41, prompt=b"nexa(many:)>" if is_ours else None)
    os.remove(path)
    return times


def hundred(program):
    """A hundred commands, one process each, in a loop of sh."""
    command = " ".join(f"'{word}'" for word in program.count)
    begin = time.perf_counter()
    subprocess.run(
        ["sh", "-c", f"i=0; while [ $i -lt 100 ]; do {command}; i=$((i+1)); done"], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def paste(program, brackets, limit=20):
    """10 000 pasted lines: what became of them, and how long it took."""
    count = 10_000
    terminal = opened(program)
    if brackets and b"\x1b[?2004h" not in terminal.log:
        terminal.close()
        return Cell("no brackets")
    text = b"\r".join(program.numbered % number for number in range(count)) + b"\r"
    mark = len(terminal.log)
    begin = time.perf_counter()
    # A thread types, so that what stands still does not hold up the measurement.
    if brackets:
        text = b"\x1b[200~" + text + b"\x1b[201~\r"
    typing = threading.Thread(target=type_all, args=(terminal, text, begin + limit))
    typing.start()
    end = None
    while time.perf_counter() < begin + limit:
        before = len(terminal.log)
        terminal.read(0.2)
        tail = plain(terminal.log[-2000:])
        if re.search(rb'[\r\n]"?n: ?%d"? *[\r\n]' % (count - 1), tail):
            end = time.perf_counter()
            break
        if len(terminal.log) == before and not typing.is_alive() and not terminal.read(2):
            break
    seconds = (end or time.perf_counter()) - begin
    typing.join()
    numbers = terminal.numbers(mark)
    terminal.close()
    lost = count - len(set(numbers) & set(range(count)))
    order = sum(1 for first, second in zip(numbers, numbers[1:]) if second != first + 1)
    if lost == 0 and order == 0:
        return Cell(f"all, {seconds:.2f} s", seconds)
    late = "" if end else f" after {seconds:.0f} s"
    what = f"{lost} missing" if lost else f"{order} out of order"
    return Cell(f"{what}{late}", float("inf"))


def type_all(terminal, text, end):
    """Writes until all is taken in or the time is up; somebody else reads."""
    while text and time.perf_counter() < end:
        try:
            text = text[os.write(terminal.descriptor, text[:4096]):]
        except BlockingIOError:
            time.sleep(0.0005)
        except OSError:
            return


def mebibyte(program, way, rounds, check=None, pause=None):
    """Lines of a mebibyte that arrived whole, of how many; `check` reads one back, `pause` stops the server."""
    head, tail, answer = program.long
    good, times = 0, []
    for number in range(rounds):
        terminal = opened(program)
        if program.name == "nexa":
            terminal.answer(b"use long\r", b"nexa(long)>")
        head_now = head % (number if way == "typed" else 1000 * len(way) + number)
        body = b"0123456789abcdef" * 65_536
        line = head_now + body + tail
        mark = len(terminal.log)
        begin = time.perf_counter()
        if way == "ahead":
            resume = pause()
            terminal.send(b"count\r" + line[:3000])
            resume()
            line = line[3000:]
        if way == "pasted":
            line = b"\x1b[200~" + line + b"\x1b[201~"
        typing = threading.Thread(target=type_all, args=(terminal, line + b"\r", begin + 30))
        typing.start()
        wanted = answer % int(head_now.split(b'"')[3]) if b"%d" in answer else answer
        end = terminal.wait(wanted, mark, 30)
        typing.join()
        terminal.close()
        if end and (check is None or check(head_now, body)):
            good += 1
            times.append(end - begin)
    took = f", {statistics.median(times) * 1000:.0f} ms" if times else ""
    return Cell(f"{good} of {rounds}{took}", 0 if good == rounds else float("inf"))


def first_row(program, rounds=9):
    """From Enter to the first row, of all documents."""
    times = []
    for _ in range(rounds):
        terminal = opened(program)
        if program.name == "nexa":
            terminal.answer(program.use, b"nexa(films)>")
        times.append(terminal.answer(program.rows[0], program.rows[1], 60))
        terminal.close()
    return times


def cancel(program, prompt, rounds=15):
    """From Ctrl-C to the prompt, while the server works."""
    terminal = opened(program)
    if program.name == "nexa":
        terminal.answer(program.use, b"nexa(films)>")
    times = []
    for _ in range(rounds):
        terminal.settle()
        terminal.send(program.slow)
        terminal.settle(0.15)
        times.append(terminal.answer(b"\x03", prompt, 5))
        if times[-1] is None:
            break
    terminal.close()
    return times


def cancel_stopped(program, prompt, line, pause, rounds):
    """From Ctrl-C to the prompt, while the server stands still."""
    times = []
    for _ in range(rounds):
        terminal = opened(program)
        resume = pause()
        try:
            terminal.send(line)
            terminal.settle(0.05)
            times.append(terminal.answer(b"\x03", prompt, 5))
        finally:
            resume()
        terminal.close()
        if times[-1] is None:
            break
    return times


def leave_early(program, rounds=50):
    """What becomes of an export whose reader leaves after a line."""
    times, faults = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        process = subprocess.Popen(program.export, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        line = b""
        while not line.endswith(b"\n"):
            line += process.stdout.read(256)[:256]
            if len(line) > 100:
                break
        process.stdout.close()
        errors = process.stderr.read()
        status = process.wait()
        times.append((time.perf_counter() - begin) * 1000)
        if program.name == "nexa" and (errors or status != -signal.SIGPIPE):
            faults.append((status, errors))
        last = f"silent, {128 + signal.SIGPIPE}" if status == -signal.SIGPIPE and not errors else (
            f"exit code {status}" + (", complains" if errors else ""))
    cell = milliseconds(times)
    return Cell(f"{last}, {cell.text}", float("inf") if faults else cell.number)


def complete(program, rounds=101):
    """From Tab to the completed word, when the answer is known."""
    terminal = opened(program)
    if program.name == "nexa":
        terminal.answer(program.use, b"nexa(films)>")
    times = []
    for number in range(rounds + 5):
        terminal.send(b"\x15" + program.word[0])
        terminal.settle(0.1 if number < 5 else 0.01)
        taken = terminal.answer(b"\t", program.word[1], 2 if number < 5 else 5)
        if number >= 5:
            times.append(taken)
            if taken is None:
                break
    terminal.close()
    return times


def echo(program, command, prompt, environment=None, rounds=200):
    """From a key to what it shows."""
    terminal = Terminal(command, program.home, environment)
    if terminal.wait(prompt, seconds=20) is None:
        raise SystemExit(f"{program.name}: no prompt behind the slow link: {terminal.log[-200:]!r}")
    terminal.settle(1)
    times = []
    for number in range(rounds):
        if number % 40 == 0:
            terminal.send(b"\x15")
            terminal.settle(0.02)
        terminal.settle(0.003)
        begin = time.perf_counter()
        os.write(terminal.descriptor, b"x")
        times.append((time.perf_counter() - begin) * 1000 if terminal.read(5) else None)
    terminal.close()
    return times


def questions(program):
    """What the program asks its terminal, and the escape sequences it writes into a pipe."""
    terminal = opened(program)
    terminal.send((program.word or [b"select"])[0] + b"\t")
    terminal.settle(0.1)
    asked = len(QUESTION.findall(terminal.log))
    terminal.close()
    output = subprocess.run(program.count, capture_output=True)
    return Cell(f"{asked}, {(output.stdout + output.stderr).count(0x1B)}",
                asked + (output.stdout + output.stderr).count(0x1B))
