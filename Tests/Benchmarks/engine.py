"""Measures nexadb by nexa-engine-bench and PostgreSQL by psql and pgbench; engine.sh starts both and calls this."""

import argparse
import re
import statistics
import subprocess
import sys

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


def nexadb(options):
    """The answer and the milliseconds of each cell."""
    command = [options.bench, "run", options.socket, str(options.count), str(options.rounds)]
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


def postgresql(options, path):
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
        file.write(f"\\set one random(0, {options.count - 1})\n\\set other random(0, {options.count - 1})\nBEGIN;\n")
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


def significant(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def spread(times):
    return f"{significant(statistics.median(times))} ({significant(min(times))} – {significant(max(times))})"


def main():
    parser = argparse.ArgumentParser()
    for name in ("bench", "socket", "postgresql", "binaries", "directory"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    machine = subprocess.run(
        [options.bench, "machine", options.directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    path = f"{options.directory}/documents.tsv"
    with open(path, "w") as file:
        subprocess.run([options.bench, "emit", str(options.count)], check=True, stdout=file)
    ours = nexadb(options)
    theirs = postgresql(options, path)

    print(f"{machine}; {options.count} documents, {options.rounds} rounds\n")
    print("| milliseconds: median (minimum – maximum) | NexaDB | PostgreSQL (jsonb) | times as fast |")
    print("|---|---|---|---|")
    wrong = []
    for name, title in CELLS:
        mine, other = ours[name], theirs[name]
        if mine[0] != other[0]:
            wrong.append(f"{title}: nexadb answers {mine[0]}, PostgreSQL {other[0]}")
        ratio = statistics.median(other[1]) / statistics.median(mine[1])
        print(f"| {title} | {spread(mine[1])} | {spread(other[1])} | {significant(ratio)} |")
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
