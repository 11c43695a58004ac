"""Measures nexa, psql, redis-cli, sqlite3 and duckdb as a person and a script use them; shell.sh starts the servers."""

import argparse
import fcntl
import importlib.util
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time

DUCKDB = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("SET preserve_insertion_order = false")
for statement in sys.argv[2:]:
    for row in connection.execute(statement).fetchall():
        print(*row)
"""


def documents(path, count):
    """Films of about 165 bytes, one a line."""
    with open(path, "w") as file:
        for number in range(count):
            file.write(
                '{"_id":"film%07d","title":"The film with number %d","year":%d,"rating":%.1f,"genres":["drama","noir"],'
                '"director":{"name":"Director %d","born":%d},"votes":%d}\n'
                % (number, number, 1920 + number % 105, number % 100 / 10, number % 997, 1880 + number % 90, number * 7))


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
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    size = int(reader.communicate()[0]) if reader else 0
    seconds = time.perf_counter() - start
    if writer:
        writer.wait()
    if process.returncode != 0:
        sys.exit(f"{command}: {process.returncode} {errors.decode()}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024, "size": size}


def prompt(command, wanted):
    """Milliseconds from the start of a program on a terminal to its prompt."""
    start = time.perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm", PAGER="cat")
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        os.execvp(command[0], command)
    seen = b""
    while wanted not in seen:
        if not select.select([terminal], [], [], 10)[0]:
            sys.exit(f"{command[0]}: no prompt within 10 s, but {seen[-80:]!r}")
        seen += os.read(terminal, 65536)
    elapsed = (time.perf_counter() - start) * 1000
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.close(terminal)
    return elapsed


class Shells:
    """The commands of each program for each cell; a cell that a program has not is left out."""

    def __init__(self, options, source):
        self.options = options
        root = options.directory
        self.names = ["nexa"]
        local = [options.nexa, "--local", f"{root}/nexadb"]
        self.start = {"nexa": (local, b"nexa>")}
        self.count = {"nexa": local + ["-e", "use small; count"]}
        self.load = {"nexa": (local + ["-e", "import - films"], source)}
        self.export = {"nexa": local + ["-e", "export films"]}
        self.reset = {"nexa": local + ["-y", "-e", "drop_collection films"]}
        subprocess.run(local + ["-q", "-e", "use small; create {a: 1}"], check=True, stdout=subprocess.DEVNULL)
        if options.psql:
            self.add_psql(f"{root}/postgresql", source)
        if shutil.which("redis-cli"):
            self.add_redis(root, source)
        if shutil.which("sqlite3"):
            self.add_sqlite(root, source)
        if importlib.util.find_spec("duckdb"):
            self.add_duckdb(root, source)

    def add_psql(self, socket, source):
        psql = [self.options.psql, "-h", socket, "-U", "postgres", "-X"]
        subprocess.run(psql + ["-qc", "create table films (doc jsonb); create table small (doc jsonb)"], check=True)
        self.names.append("psql")
        self.start["psql"] = (psql, b"postgres=# ")
        self.count["psql"] = psql + ["-c", "select count(*) from small"]
        form = "with (format csv, quote e'\\x01', delimiter e'\\x02')"
        self.load["psql"] = (psql + ["-c", f"\\copy films from pstdin {form}"], source)
        self.export["psql"] = psql + ["-c", f"\\copy films to pstdout {form}"]
        self.reset["psql"] = psql + ["-qc", "truncate films"]

    def add_redis(self, root, source):
        cli = ["redis-cli", "-s", f"{root}/redis/socket"]
        self.names.append("redis-cli")
        self.start["redis-cli"] = (cli, b"> ")
        self.count["redis-cli"] = cli + ["dbsize"]
        protocol = f"{root}/films.resp"
        with open(source, "rb") as lines, open(protocol, "wb") as file:
            for line in lines:
                line = line[:-1]
                key = line[8:19]
                file.write(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(line), line))
        self.load["redis-cli"] = (cli + ["--pipe"], protocol)
        self.reset["redis-cli"] = cli + ["flushall"]

    def add_sqlite(self, root, source):
        database = f"{root}/sqlite.db"
        subprocess.run(["sqlite3", database, "create table films (doc text); create table small (doc text)"], check=True)
        self.names.append("sqlite3")
        self.start["sqlite3"] = (["sqlite3", database], b"sqlite> ")
        self.count["sqlite3"] = ["sqlite3", database, "select count(*) from small"]
        self.load["sqlite3"] = (
            ["sqlite3", database, ".mode ascii", ".separator \"\\001\" \"\\n\"", ".import /dev/stdin films"], source)
        self.export["sqlite3"] = ["sqlite3", database, "select doc from films"]
        self.reset["sqlite3"] = ["sqlite3", database, "delete from films"]

    def add_duckdb(self, root, source):
        duckdb = [sys.executable, "-c", DUCKDB, f"{root}/duck.db"]
        subprocess.run(duckdb + ["create table small (doc int)"], check=True)
        self.names.append("duckdb")
        self.count["duckdb"] = duckdb + ["select count(*) from small"]
        self.load["duckdb"] = (
            duckdb + ["create or replace table films as select * from read_json('/dev/stdin', format = 'newline_delimited')"],
            source)
        self.export["duckdb"] = duckdb + ["copy films to '/dev/stdout' (format json)"]
        self.reset["duckdb"] = duckdb + ["drop table films"]


def main():
    parser = argparse.ArgumentParser()
    for name in ["nexa", "directory"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--psql")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    source = f"{options.directory}/films.ndjson"
    documents(source, options.count)
    size = os.path.getsize(source)
    shells = Shells(options, source)
    table = {name: {} for name in shells.names}
    for name, (command, wanted) in shells.start.items():
        times = sorted(prompt(command, wanted) for _ in range(21))
        table[name]["start to prompt"] = f"{statistics.median(times):.1f} ms"
    for name, command in shells.count.items():
        times = [run(command)["seconds"] * 1000 for _ in range(5 if name == "duckdb" else 21)]
        table[name]["one count, whole process"] = f"{statistics.median(times):.1f} ms"
    for name, (command, stdin) in shells.load.items():
        results = []
        for _ in range(options.rounds):
            if results:
                run(shells.reset[name])
            results.append(run(command, stdin=stdin))
        best = sorted(results, key=lambda result: result["seconds"])[len(results) // 2]
        table[name]["import"] = f"{best['seconds']:.2f} s"
        table[name]["import: documents/s"] = f"{options.count / best['seconds'] / 1000:.0f} k"
        table[name]["import: processor time of the client"] = f"{best['cpu']:.2f} s"
        table[name]["import: peak memory of the client"] = f"{max(result['memory'] for result in results):.0f} MiB"
    for name, command in shells.export.items():
        results = [run(command, pipes_output=True) for _ in range(options.rounds)]
        if min(result["size"] for result in results) < options.count * 100:
            sys.exit(f"{name} exported too little: {results}")
        best = sorted(results, key=lambda result: result["seconds"])[len(results) // 2]
        table[name]["export to a pipe"] = f"{best['seconds']:.2f} s"
        table[name]["export: processor time of the client"] = f"{best['cpu']:.2f} s"
        table[name]["export: peak memory of the client"] = f"{max(result['memory'] for result in results):.0f} MiB"
    local = [options.nexa, "--local", f"{options.directory}/nexadb"]
    dry = statistics.median(
        run(local + ["-e", "import - films --dry-run"], stdin=source)["cpu"] for _ in range(options.rounds))
    print(f"{options.count} documents, {size / 1e6:.0f} MB; nexa reads and checks {size / 1e6 / dry:.0f} MB per second of")
    print("processor time (import --dry-run). duckdb is its Python module.\n")
    print("| | " + " | ".join(shells.names) + " |")
    print("|---" * (len(shells.names) + 1) + "|")
    for row in table["nexa"]:
        print(f"| {row} | " + " | ".join(table[name].get(row, "") for name in shells.names) + " |")


main()
