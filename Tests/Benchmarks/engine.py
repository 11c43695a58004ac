"""Measures nexadb by nexa-engine-bench, PostgreSQL by psql and pgbench, and DuckDB in this process.

engine.sh starts the servers and calls this.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time

from engine_plot import plot

CELLS = [
    ("load", "bulk load"),
    ("scan", "count by a range, no index"),
    ("sort-scan", "sort + limit 20, no index"),
    ("group", "group by city: sum, count"),
    ("index", "build an index"),
    ("equality", "equality, index: find all"),
    ("range", "count by a range, index"),
    ("sort-index", "sort + limit 20, index"),
    ("transaction", "transaction of 2 updates, 1 client"),
]
K, N, PRICE = "((doc->>'k')::int)", "((doc->>'n')::int)", "((doc->>'price')::float8)"


def nexadb(options, count):
    """The answer and the milliseconds of each cell."""
    command = [options.bench, "run", options.socket, str(count), str(options.rounds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = {}
    for line in output.splitlines():
        name, answer, times = line.split("\t")
        result[name] = (int(answer), [float(time) for time in times.split(",")])
    return result


def psql(options, statements):
    """Runs statements in one session; for each its rows and psql's time for it in milliseconds."""
    marked = ["\\timing on"]
    for statement in statements:
        marked += [statement if statement.startswith("\\") else statement + ";", "\\echo @@"]
    command = [f"{options.binaries}/psql", "-h", options.postgresql, "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"]
    output = subprocess.run(
        command, check=True, input="\n".join(marked) + "\n", stdout=subprocess.PIPE, text=True).stdout
    results = []
    for part in output.split("@@\n")[:-1]:
        lines = part.splitlines()
        times = [float(match[1]) for line in lines if (match := re.match(r"Time: ([0-9.]+) ms", line))]
        results.append(([line for line in lines if not line.startswith("Time: ")], times[-1] if times else 0.0))
    return results


def postgresql(options, count, path):
    """The same as `nexadb`, of PostgreSQL."""
    result = {}

    def repeat(name, samples, statement, counts):
        statements = [statement(max(0, sample)) for sample in range(-1, samples)]
        runs = psql(options, statements)
        rows = runs[-1][0]
        result[name] = (int(rows[0]) if counts else len(rows), [time for _, time in runs[1:]])

    times = []
    for _ in range(min(3, options.rounds)):
        psql(options, ["SET client_min_messages = warning", "DROP TABLE IF EXISTS docs", "CREATE TABLE docs (id text PRIMARY KEY, doc jsonb NOT NULL)"])
        runs = psql(options, [f"\\copy docs FROM '{path}'", "SELECT count(*) FROM docs"])
        times.append(runs[0][1])
        loaded = int(runs[1][0][0])
    result["load"] = (loaded, times)
    psql(options, ["VACUUM ANALYZE docs"])
    rounds = options.rounds
    repeat("scan", rounds, lambda _: f"SELECT count(*) FROM docs WHERE {PRICE} >= 250 AND {PRICE} < 500", True)
    repeat("sort-scan", rounds, lambda _: f"SELECT id, doc FROM docs ORDER BY {PRICE} LIMIT 20", False)
    repeat("group", rounds, lambda _: f"SELECT doc->>'city', sum({PRICE}), count(*) FROM docs GROUP BY 1", False)
    psql(options, [f"CREATE INDEX docs_k ON docs ({K})"])
    times = []
    for _ in range(rounds):
        runs = psql(options, ["SET client_min_messages = warning", "DROP INDEX IF EXISTS docs_n", f"CREATE INDEX docs_n ON docs ({N})"])
        times.append(runs[2][1])
    result["index"] = (1, times)
    psql(options, ["ANALYZE docs"])
    repeat("equality", rounds * 10, lambda i: f"SELECT id, doc FROM docs WHERE {K} = {i * 37 % 1000}", False)
    between = f"{N} >= 100000000 AND {N} < 300000000"
    repeat("range", rounds, lambda _: f"SELECT count(*) FROM docs WHERE {between}", True)
    repeat("sort-index", rounds * 10, lambda _: f"SELECT id, doc FROM docs ORDER BY {N} LIMIT 20", False)

    script = f"{options.directory}/transaction.sql"
    with open(script, "w") as file:
        file.write(f"\\set one random(0, {count - 1})\n\\set other random(0, {count - 1})\nBEGIN;\n")
        for name in ("one", "other"):
            file.write(
                f"UPDATE docs SET doc = doc || jsonb_build_object('price', 1.0) WHERE id = 'd' || :{name};\n")
        file.write("COMMIT;\n")
    times = []
    for number in range(rounds + 1):
        output = subprocess.run(
            [f"{options.binaries}/pgbench", "-h", options.postgresql, "-U", "postgres", "-n", "-f", script,
             "-c", "1", "-t", "500", "-M", "prepared", "postgres"],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        if number:
            times.append(float(re.search(r"latency average = ([0-9.]+) ms", output)[1]))
    result["transaction"] = (0, times)
    return result


def duckdb(options, path):
    """The same of DuckDB, without what it does not offer; `None` when its package is not there.

    It loads the documents from lines of JSON into a table with a column for each field, which is why it is quoted as the
    ceiling and not as an equal.
    """
    try:
        import duckdb
    except ImportError:
        return None
    lines = f"{options.directory}/documents.ndjson"
    with open(path) as source, open(lines, "w") as target:
        for line in source:
            name, text = line.rstrip("\n").split("\t")
            target.write(f'{{"_id":"{name}",{text[1:]}\n')
    file = f"{options.directory}/duckdb.db"
    database = duckdb.connect(file)
    result = {}

    def repeat(name, samples, statement, prepare=None, counts=False):
        times = []
        for sample in range(-1, samples):
            if prepare:
                database.execute(prepare)
            begin = time.perf_counter()
            rows = database.execute(statement(max(0, sample))).fetchall()
            if sample >= 0:
                times.append((time.perf_counter() - begin) * 1000)
        result[name] = (rows[0][0] if counts else len(rows), times)

    rounds = options.rounds
    load = f"CREATE TABLE docs AS SELECT * FROM read_json_auto('{lines}', format = 'newline_delimited')"
    repeat("load", min(3, rounds), lambda _: load, "DROP TABLE IF EXISTS docs", counts=True)
    repeat("scan", rounds, lambda _: "SELECT count(*) FROM docs WHERE price >= 250 AND price < 500", counts=True)
    repeat("sort-scan", rounds, lambda _: "SELECT * FROM docs ORDER BY price LIMIT 20")
    repeat("group", rounds, lambda _: "SELECT city, sum(price), count(*) FROM docs GROUP BY 1")
    repeat("equality", rounds * 10, lambda i: f"SELECT * FROM docs WHERE k = {i * 37 % 1000}")
    between = "n >= 100000000 AND n < 300000000"
    repeat("range", rounds, lambda _: f"SELECT count(*) FROM docs WHERE {between}", counts=True)
    database.close()
    os.remove(lines)
    os.remove(file)
    return result


def measure(options, count):
    """All systems over `count` documents, one after the other: by name, the results; and answers that differ."""
    path = f"{options.directory}/documents.tsv"
    with open(path, "w") as file:
        subprocess.run([options.bench, "emit", str(count)], check=True, stdout=file)
    results = {"NexaDB": nexadb(options, count), "PostgreSQL (jsonb)": postgresql(options, count, path)}
    columns = duckdb(options, path)
    if columns:
        results["DuckDB (columns)"] = columns
    os.remove(path)
    wrong = []
    for name, title in CELLS:
        mine = results["NexaDB"][name]
        for system, other in results.items():
            if name in other and other[name][0] != mine[0]:
                wrong.append(f"{count} documents, {title}: nexadb answers {mine[0]}, {system} {other[name][0]}")
    return results, wrong


def significant(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def spread(times):
    return f"{significant(statistics.median(times))} ({significant(min(times))} – {significant(max(times))})"


def compare(results):
    """The table of one size."""
    print("| milliseconds: median (minimum – maximum) | " + " | ".join(results) + " | PostgreSQL ÷ NexaDB |")
    print("|---" * (len(results) + 2) + "|")
    for name, title in CELLS:
        cells = [spread(other[name][1]) if name in other else "–" for other in results.values()]
        mine, theirs = (statistics.median(results[system][name][1]) for system in list(results)[:2])
        print(f"| {title} | {' | '.join(cells)} | {significant(theirs / mine)} |")


def grow(sizes):
    """The table of cost against the size of the collection: medians in milliseconds, NexaDB / the others."""
    print("| milliseconds: " + " / ".join(next(iter(sizes.values()))) + " | "
          + " | ".join(f"{size:,}".replace(",", " ") for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for name, title in CELLS:
        cells = []
        for results in sizes.values():
            cells.append(" / ".join(
                significant(statistics.median(other[name][1])) if name in other else "–" for other in results.values()))
        print(f"| {title} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser()
    for name in ("bench", "socket", "postgresql", "binaries", "directory"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="", help="further sizes, separated by commas")
    parser.add_argument("--plot", default="", help="a file for the plot of the further sizes")
    options = parser.parse_args()

    machine = subprocess.run(
        [options.bench, "machine", options.directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    results, wrong = measure(options, options.count)
    print(f"{machine}; {options.count} documents, {options.rounds} rounds\n")
    compare(results)
    sys.stdout.flush()
    sizes = {}
    for size in [int(size) for size in options.sizes.split(",") if size]:
        sizes[size], more = measure(options, size)
        wrong += more
    if sizes:
        print()
        grow(sizes)
        if options.plot:
            plot(options.plot, CELLS, sizes)
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
