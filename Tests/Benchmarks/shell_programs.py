"""What each program is told for each cell of the comparison; what a program has not is None."""

import os
import shutil
import subprocess

COPY = "with (format csv, quote e'\\x01', delimiter e'\\x02')"
FOREVER = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c;"


class Program:
    """One of the shells."""

    def __init__(self, name, version, command, prompt, home, **rest):
        self.name, self.version, self.command, self.prompt, self.home = name, version, command, prompt, home
        os.makedirs(home, exist_ok=True)
        # Arguments for one command, and the file to feed.
        self.count = self.load = self.source = self.reset = self.export = None
        # At the terminal: a numbered line, a line of a mebibyte with what answers it, all films with what begins the
        # first, something that takes long, and a word to complete with what Tab adds.
        self.numbered = self.long = self.rows = self.slow = self.word = None
        # The name of the history in the home folder, and a line of it.
        self.history = None
        self.environment = {}
        for key, value in rest.items():
            setattr(self, key, value)


def version(*command):
    """The first line that it says of itself."""
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return lines[0].strip() if lines else ""


def nexa(options, root, films):
    """The shell on the folder that a server keeps open."""
    command = [options.nexa, "--local", f"{root}/nexadb"]
    quiet = command + ["-q", "-e"]
    subprocess.run(quiet + ["use small; create {a: 1}"], check=True, stdout=subprocess.DEVNULL)
    return Program(
        "nexa", version(options.nexa, "--version"), command, b"nexa>", f"{root}/home-nexa",
        count=command + ["-e", "use small; count"], load=command + ["-e", "import - films"], source=films,
        export=command + ["-e", "export films"], reset=command + ["-y", "-e", "drop_collection films"],
        numbered=b"\\echo n:  %d", long=(b"create {\"_id\": \"%d\", \"text\": \"", b"\"}", b"Document created: %d"),
        rows=(b"query {} --all\r", b"film0000000"), slow=b"export films /dev/null\r", use=b"use films\r",
        word=(b"query {\"dire", b"ctor"), history=(".nexadb_history", "#V2\n", "query {\"year\": %d}\n"))


def psql(options, root, films):
    """PostgreSQL's shell on a Unix socket."""
    command = [options.psql, "-h", f"{root}/postgresql", "-U", "postgres", "-X"]
    subprocess.run(command + ["-qc", "create table films (doc jsonb); create table small (doc jsonb)"], check=True)
    subprocess.run(command + ["-qc", "create table long (doc text)"], check=True)
    return Program(
        "psql", version(options.psql, "--version"), command, b"postgres=# ", f"{root}/home-psql",
        count=command + ["-c", "select count(*) from small"],
        load=command + ["-c", f"\\copy films from pstdin {COPY}"], source=films,
        export=command + ["-c", f"\\copy films to pstdout {COPY}"], reset=command + ["-qc", "truncate films"],
        numbered=b"\\echo n:  %d", long=(b"insert into long values ('%d", b"');", b"INSERT 0 1"),
        rows=(b"\\pset pager off\rselect doc from films;\r", b"film0000000"), slow=b"select pg_sleep(60);\r",
        word=(b"select * from fi", b"lms"), history=(".psql_history", "", "select %d;\n"))


def redis(root, films):
    """Redis' shell on a Unix socket."""
    command = ["redis-cli", "-s", f"{root}/redis/socket"]
    protocol = f"{root}/films.resp"
    with open(films, "rb") as lines, open(protocol, "wb") as file:
        for line in lines:
            line = line[:-1]
            key = line[8:19]
            file.write(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(line), line))
    return Program(
        "redis-cli", version("redis-cli", "--version"), command, b"> ", f"{root}/home-redis", count=command + ["dbsize"],
        load=command + ["--pipe"], source=protocol, reset=command + ["flushall"], numbered=b"echo \"n: %d\"",
        long=(b"set %d ", b"", b"OK"), word=(b"getr", b"RANGE"), history=(".rediscli_history", "", "get %d\n"))


def sqlite(root, films):
    """SQLite's shell, without a server."""
    database = f"{root}/sqlite.db"
    command = ["sqlite3", database]
    for table in ["films", "small", "long"]:
        subprocess.run(command + [f"create table {table} (doc text)"], check=True)
    mode = [".mode ascii", ".separator \"\\001\" \"\\n\"", ".import /dev/stdin films"]
    return Program(
        "sqlite3", "sqlite3 " + version("sqlite3", "--version").split()[0], command, b"sqlite> ", f"{root}/home-sqlite",
        count=command + ["select count(*) from small"], load=command + mode, source=films,
        export=command + ["select doc from films"], reset=command + ["delete from films"], numbered=b".print n:  %d",
        long=(b"insert into long values ('%d", b"'); select 6 * 7;", b"42"),
        rows=(b"select doc from films;\r", b"film0000000"), slow=FOREVER.encode() + b"\r",
        history=(".sqlite_history", "", "select %d;\n"))


def duckdb(options, root, films):
    """DuckDB's shell, without a server."""
    command = [options.duckdb, f"{root}/duck.db"]
    # Without the mode it asks the terminal for its colours, and waits five seconds when that does not answer.
    terminal = [options.duckdb, "-dark-mode", f"{root}/duck.db"]
    subprocess.run(command + ["create table small (doc int); create table long (doc text)"], check=True)
    table = "create table films as select * from read_json('/dev/stdin', format = 'newline_delimited')"
    return Program(
        "duckdb", "duckdb " + version(options.duckdb, "--version").split()[0], terminal, b"D ", f"{root}/home-duckdb",
        count=command + ["select count(*) from small"],
        load=command + ["-c", "set preserve_insertion_order = false", "-c", table], source=films,
        export=command + ["-c", "set preserve_insertion_order = false", "-c", "copy films to '/dev/stdout' (format json)"],
        reset=command + ["-c", "drop table films"], numbered=b".print n:  %d",
        long=(b"insert into long values ('%d", b"'); select 6 * 7;", b" 42 "),
        slow=b"select sum(a * b) from range(100000000) t(a), range(1000000) u(b);\r",
        rows=(b"select * from films;\r", b"film0"), word=(b"select * from fi", b"lms"),
        history=(".duckdb_history", "", "select %d;\n"))


def installed(options, root, films):
    """Those that this machine has, ours first."""
    programs = [nexa(options, root, films)]
    if options.psql:
        programs.append(psql(options, root, films))
    if shutil.which("redis-cli"):
        programs.append(redis(root, films))
    if shutil.which("sqlite3"):
        programs.append(sqlite(root, films))
    if options.duckdb:
        programs.append(duckdb(options, root, films))
    return programs
