"""Measures the goals of the shell on nexa, psql, redis-cli, sqlite3 and duckdb; shell.sh starts the servers.

What is a property and no time is tested, and named here with its suite: the row says so.
"""

import argparse
import functools
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time

import shell_goals as goals
from shell_goals import Cell, milliseconds, run
from shell_programs import installed
from shell_servers import SlowLink, pause, processes

TESTED = {
    6: ("any text through prompt, server, formats and import, in every locale", "UnicodeTests"),
    12: ("tables at widths 20 to 500", "TableTests"),
    14: ("signals at random moments of typing, import and export", "SignalSweepTests, DataSweepTests"),
    16: ("kill -9 loses no line of the history", "HistoryKillTests, HistoryTests"),
    17: ("a password shows nowhere", "SecretTests"),
    20: ("every command, option and key by keyboard", "CoverageTests, KeyTests"),
    21: ("the old shells' transcripts, line for line", "TranscriptTests"),
    23: ("random keys and bytes, flat memory", "KeyFuzzTests (make fuzz)"),
    24: ("a caret under the right character", "CaretTests"),
}


def documents(path, count):
    """Films of about 165 bytes, one a line."""
    with open(path, "w") as file:
        for number in range(count):
            file.write(
                '{"_id":"film%07d","title":"The film with number %d","year":%d,"rating":%.1f,"genres":["drama","noir"],'
                '"director":{"name":"Director %d","born":%d},"votes":%d}\n'
                % (number, number, 1920 + number % 105, number % 100 / 10, number % 997, 1880 + number % 90, number * 7))


def machine():
    """What it was measured on, in a line."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown processor")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, load at the end {os.getloadavg()[1]:.1f}"


def watch(options, root, lines):
    """Changes a second into a pipe, how many are missing, the memory it took, and how long Ctrl-C takes."""
    local = [options.nexa, "--local", f"{root}/nexadb", "-q", "-e"]
    process = subprocess.Popen(local + ["watch watched"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seen, times = [], []

    def take():
        for line in process.stdout:
            times.append(time.perf_counter())
            seen.append(line)

    taking = threading.Thread(target=take)
    taking.start()
    # Until it watches, nobody is told.
    while not seen:
        run(local + ["use watched; create {first: true}"])
    time.sleep(0.2)
    before = len(seen)
    count = sum(1 for _ in open(lines))
    run(local + ["import - watched"], stdin=lines)
    end = time.perf_counter() + 20
    while len(seen) < before + count and time.perf_counter() < end:
        time.sleep(0.01)
    begin = time.perf_counter()
    os.kill(process.pid, signal.SIGINT)
    _, _, usage = os.wait4(process.pid, 0)
    leaving = (time.perf_counter() - begin) * 1000
    process.returncode = 130
    taking.join()
    rate = count / (times[before + count - 1] - times[before]) if len(seen) >= before + count else 0
    missing = count - len({line.split(b'"_id":"', 1)[1][:11] for line in seen[before:] if b'"_id":"film' in line})
    text = f"{rate / 1000:.0f} k/s, {missing} missing, {usage.ru_maxrss / 1024:.0f} MiB, Ctrl-C {leaving:.0f} ms"
    return Cell(text, rate if missing == 0 and leaving <= 50 else 0)


class Comparison:
    """The rows, in the order in which they are measured."""

    def __init__(self, options):
        self.options, self.root = options, options.directory
        self.films = f"{self.root}/films.ndjson"
        documents(self.films, options.count)
        self.programs = installed(options, self.root, self.films)
        self.nexa = self.programs[0]
        self.rows = {}
        self.quick = options.quick

    def row(self, number, goal, wanted, measure, test=None):
        """Measures a row of each program; a program for which `measure` returns nothing has none."""
        if self.options.only and str(number) not in self.options.only.split(","):
            return
        begin = time.perf_counter()
        cells = {program.name: measure(program) for program in self.programs}
        verdict = ""
        if test and cells["nexa"]:
            verdict = "met" if test(cells["nexa"].number) else "missed"
        self.rows[(number, goal)] = (wanted, cells, verdict)
        texts = ", ".join(f"{name} {cell.text}" for name, cell in cells.items() if cell)
        print(f"{number} {goal} [{time.perf_counter() - begin:.1f} s]: {texts}", file=sys.stderr, flush=True)

    def only(self, measure):
        """Measures nexa alone."""
        return lambda program: measure() if program is self.nexa else None

    def rounds(self, many):
        return 5 if self.quick else many

    def pause(self):
        folder = processes(f"{self.root}/nexadb")
        return pause([process for process in folder if os.readlink(f"/proc/{process}/exe").endswith("/nexadb")])

    def pause_postgresql(self):
        with open(f"{self.root}/postgresql/data/postmaster.pid") as file:
            first = int(file.readline())
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True).stdout
        return pause([first] + [int(word) for word in children.split()])

    def measure(self):
        self.starts()
        self.pastes()
        self.data()
        self.signals()
        self.links()
        for number, (goal, suite) in TESTED.items():
            self.rows[(number, goal)] = ("", {"nexa": Cell(f"{suite}")}, "tested")

    def starts(self):
        nexa, options = self.nexa, self.options
        many = self.rounds(101)
        spare = {"duckdb": self.rounds(21)}
        self.first = {}

        def start(program):
            self.first[program.name] = goals.start(program, rounds=spare.get(program.name, many))
            return milliseconds(self.first[program.name])

        self.row(1, "start to prompt", "≤ 6 ms, p99 ≤ 12", start,
                 lambda value: value <= 6 and goals.rank(self.first["nexa"], 99) <= 12)
        tcp = [options.nexa, "--host", "127.0.0.1", "--port", str(options.port)]
        secret = {"NEXADB_PASSWORD": options.password}
        self.row(1, "the same over TCP with a password", "≤ 6 ms, p99 ≤ 12",
                 self.only(lambda: milliseconds(goals.start(nexa, tcp, many, secret))), lambda value: value <= 6)
        self.row(2, "one count, whole process", "≤ 5 ms", lambda program: milliseconds(
            [run(program.count)["seconds"] * 1000 for _ in range(many)]), lambda value: value <= 5)

        def loop(program):
            seconds = statistics.median(goals.hundred(program) for _ in range(3 if program is nexa else 1))
            return Cell(f"{seconds:.2f} s", seconds)

        self.row(2, "a hundred of them in a loop of sh", "≤ 0.5 s", loop, lambda value: value <= 0.5)
        names = 100 if self.quick else 10_000
        script = "".join(f"create_collection c{number:05d}\n" for number in range(names))
        subprocess.run([options.nexa, "--local", f"{self.root}/nexadb", "-q", "-d", "many", "-f", "-"], input=script,
                       text=True, check=True, stdout=subprocess.DEVNULL)
        self.row(3, "start with 100 000 lines of history, 10 000 collections", "as 1 ± 1 ms",
                 lambda program: milliseconds(goals.start_with_history(program)),
                 lambda value: value <= statistics.median(self.first["nexa"]) + 1)

    def pastes(self):
        self.row(4, "10 000 commands pasted with brackets", "all, ≤ 0.5 s", lambda program: goals.paste(program, True),
                 lambda value: value <= 0.5)
        self.row(4, "10 000 commands without", "all, ≤ 3 s", lambda program: goals.paste(program, False),
                 lambda value: value <= 3)
        local = [self.options.nexa, "--local", f"{self.root}/nexadb", "-q", "-e"]

        def whole(head, body):
            name = head.split(b'"')[3].decode()
            return body in subprocess.run(local + [f"use long; read \"{name}\""], capture_output=True).stdout

        check = {"nexa": whole}
        rounds = {"nexa": self.rounds(5), "duckdb": 1}
        self.row(5, "a line of 1 MiB, typed", "whole", lambda program: goals.mebibyte(
            program, "typed", rounds.get(program.name, 2), check.get(program.name)), lambda value: value == 0)
        for way in ["pasted", "ahead"]:
            self.row(5, f"a line of 1 MiB, {way}" + (" of a command" if way == "ahead" else ""), "whole", self.only(
                functools.partial(goals.mebibyte, self.nexa, way, self.rounds(5), whole, self.pause)),
                lambda value: value == 0)

    def data(self):
        count, rounds = self.options.count, self.options.rounds
        size = os.path.getsize(self.films) / 1e6
        loads, exports = {}, {}
        for program in self.programs:
            loads[program.name] = []
            for _ in range(rounds):
                if loads[program.name]:
                    run(program.reset)
                loads[program.name].append(run(program.load, stdin=program.source))
            if program.name == "nexa" and f"Imported {count} " not in loads["nexa"][-1]["errors"]:
                sys.exit(f"nexa: {loads['nexa'][-1]['errors']}")
            if program.export:
                exports[program.name] = [run(program.export, pipes_output=True) for _ in range(rounds)]
                if min(result["size"] for result in exports[program.name]) < count * 100:
                    sys.exit(f"{program.name} exported too little: {exports[program.name]}")

        def spread(results, key, unit, scale=1):
            values = sorted(result[key] * scale for result in results)
            middle = statistics.median(values)
            return Cell(f"{middle:.2f} {unit} ({values[0]:.2f} – {values[-1]:.2f})", middle)

        def rate(program):
            cell = spread(loads[program.name], "seconds", "s")
            return Cell(f"{cell.text}, {count / cell.number / 1000:.0f} k/s", count / cell.number)

        part = count / 1_000_000
        self.row(7, f"import {count / 1e6:g} M documents, {size:.0f} MB, from a pipe", "≥ 305 k/s", rate,
                 lambda value: value >= 305_000)
        self.row(7, "the client's processor time of that", "≤ 1.5 s",
                 lambda program: spread(loads[program.name], "cpu", "s"), lambda value: value <= 1.5 * part)

        def alone(program):
            used = statistics.median(result["cpu"] for result in loads[program.name])
            return Cell(f"{size / used:.0f} MB/s", size / used)

        self.row(8, "imported per second of that", "≥ 500 MB/s", alone, lambda value: value >= 500)
        self.row(9, "export them to a pipe", "≤ 1.2 s", lambda program: spread(
            exports[program.name], "seconds", "s") if program.name in exports else None,
            lambda value: value <= 1.2 * part)
        def memory(program):
            peak = max(result["memory"] for result in loads[program.name] + exports.get(program.name, []))
            return Cell(f"{peak:.0f} MiB", peak)

        self.row(10, "peak of the client's memory, import and export", "≤ 32 MiB", memory, lambda value: value <= 32)
        self.row(11, "first row of all on the screen", "≤ 30 ms", lambda program: milliseconds(
            goals.first_row(program, self.rounds(9) if program.name == "nexa" else 3))
            if program.rows else None, lambda value: value <= 30)

    def signals(self):
        stopped = self.rounds(31)
        prompts = {"nexa": b"nexa(films)>"}
        times = {}

        def healthy(program):
            if not program.slow:
                return None
            times[program.name] = goals.cancel(program, prompts.get(program.name, program.prompt))
            return milliseconds(times[program.name])

        self.row(13, "Ctrl-C to prompt, server at work", "≤ 10 ms", healthy, lambda value: value <= 10)

        def frozen(program):
            if program.name == "nexa":
                times["frozen"] = goals.cancel_stopped(program, b"nexa>", b"ping\r", self.pause, stopped)
            elif program.name == "psql":
                times["frozen psql"] = goals.cancel_stopped(
                    program, program.prompt, b"select 1;\r", self.pause_postgresql, 3)
                return milliseconds(times["frozen psql"])
            else:
                return None
            cell = milliseconds(times["frozen"])
            return Cell(cell.text, cell.number if cell.text == "never" else goals.rank(times["frozen"], 99))

        self.row(13, "Ctrl-C to prompt, server stopped", "p99 ≤ 100 ms", frozen, lambda value: value <= 100)
        self.row(15, "export, and the reader leaves after a line", "silent, 141, ≤ 50 ms", lambda program:
                 goals.leave_early(program, self.rounds(50)) if program.export and program.name != "duckdb" else None,
                 lambda value: value <= 50)

    def links(self):
        options, root = self.options, self.root
        taken = {}

        def tab(program):
            if not program.word:
                return None
            taken[program.name] = goals.complete(program, self.rounds(101))
            return milliseconds(taken[program.name])

        self.row(18, "Tab to the completed word", "p99 ≤ 10 ms", tab,
                 lambda value: None not in taken["nexa"] and goals.rank(taken["nexa"], 99) <= 10)

        def blocked():
            times = []
            for _ in range(self.rounds(21)):
                terminal = goals.opened(self.nexa)
                resume = self.pause()
                terminal.send(b"use m")
                terminal.settle(0.02)
                begin = time.perf_counter()
                terminal.send(b"\t")
                terminal.settle(0.005)
                mark = len(terminal.log)
                terminal.send(b"ovies")
                end = terminal.wait(b"ovies", mark, 5)
                times.append(None if end is None else (end - begin) * 1000)
                resume()
                terminal.close()
            cell = milliseconds(times)
            return Cell(cell.text, cell.number if cell.text == "never" else max(times))

        self.row(18, "typed behind a Tab, server stopped", "≤ 150 ms", self.only(blocked), lambda value: value <= 150)
        watched = f"{root}/watched.ndjson"
        documents(watched, min(200_000, options.count))
        self.row(19, "changes watched through a pipe", "100 k/s, 0 missing, Ctrl-C ≤ 50 ms",
                 self.only(lambda: watch(options, root, watched)), lambda value: value >= 100_000)
        self.row(22, "questions to the terminal, escapes into a pipe", "0, 0", goals.questions,
                 lambda value: value == 0)
        os.makedirs(f"{root}/slow", exist_ok=True)

        def echo(program):
            environment, rounds = {}, self.rounds(200)
            if program.name == "nexa":
                link = SlowLink(0.3, None, options.port)
                command = [options.nexa, "--host", "127.0.0.1", "--port", str(link.port)]
                environment = {"NEXADB_PASSWORD": options.password}
            elif program.name == "psql":
                SlowLink(0.3, f"{root}/slow/.s.PGSQL.5432", f"{root}/postgresql/.s.PGSQL.5432")
                command = [options.psql, "-h", f"{root}/slow", "-U", "postgres", "-X"]
            elif program.name == "redis-cli":
                SlowLink(0.3, f"{root}/slow/redis", f"{root}/redis/socket")
                command = ["redis-cli", "-s", f"{root}/slow/redis"]
            else:
                return None
            return milliseconds(goals.echo(program, command, program.prompt, environment, rounds))

        self.row(25, "a key to its echo, 300 ms from the server", "≤ 1 ms", echo, lambda value: value <= 1)

    def show(self):
        versions = [program.version for program in self.programs]
        print(f"{machine()}; {', '.join(versions)}; {self.options.rounds} rounds of import and export.\n")
        names = ["nexa", "psql", "redis-cli", "sqlite3", "duckdb"]
        print("| D | goal | wanted | | " + " | ".join(f"`{name}`" for name in names) + " |")
        print("|---" * (len(names) + 4) + "|")
        for (number, goal), (wanted, cells, verdict) in sorted(self.rows.items(), key=lambda row: row[0][0]):
            texts = [cells[name].text if cells.get(name) else "–" for name in names]
            print(f"| {number} | {goal} | {wanted} | {verdict} | " + " | ".join(texts) + " |")
        for name in names:
            if name not in [program.name for program in self.programs]:
                print(f"\n{name} is not on this machine.")


def main():
    # What a shell starts in the background ignores Ctrl-C, and so would all that is measured.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    for name in ["nexa", "directory", "password"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--psql")
    parser.add_argument("--duckdb")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--only", help="the numbers of goals, with commas between them")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works")
    comparison = Comparison(parser.parse_args())
    comparison.measure()
    comparison.show()


main()
