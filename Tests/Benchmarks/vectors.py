"""Measures the vector index by nexa-vector-bench, and hnswlib, usearch and Faiss; vectors.sh calls this."""

import argparse
import math
import os
import subprocess
import sys
import threading
import time

import numpy as np

WIDTHS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 400]
WIRE_WIDTHS = [16, 32, 64, 128, 256, 400]
M, EF_CONSTRUCTION, K, ROUNDS, FILTERED = 16, 200, 10, 3, 200
LIMIT = 2  # seconds after which no new round of the same searches begins


def clusters(directory, count):
    """Hard clusters: 300 centres in 128 dimensions, wide apart as the spread in them is."""
    import faiss

    random = np.random.default_rng(7)
    centres = random.normal(size=(300, 128)).astype("f4")

    def draw(number):
        return (centres[random.integers(0, 300, number)] + 1.6 * random.normal(size=(number, 128))).astype("f4")

    vectors, queries = draw(count), draw(1000)
    flat = faiss.IndexFlatL2(128)
    flat.add(vectors)
    paths = [f"{directory}/clusters.{part}" for part in ("vectors", "queries", "truth")]
    vectors.tofile(paths[0])
    queries.tofile(paths[1])
    flat.search(queries, 100)[1].astype("<i4").tofile(paths[2])
    return (f"{count} × 128, clusters, l2", *paths, 128, "l2")


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def passes(count, share):
    rows = np.arange(count, dtype=np.uint64)
    return (rows * 2654435761 % 2**32) % 1000 < share


def other(library, vectors, queries, truth, dimensions, metric, threads):
    """What nexa-vector-bench prints, of a library; runs in a process of its own."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    x = np.fromfile(vectors, "<f4").reshape(-1, dimensions)
    q = np.fromfile(queries, "<f4").reshape(-1, dimensions)
    expected = np.fromfile(truth, "<i4").reshape(len(q), -1)[:, :K]
    if library == "hnswlib":
        import hnswlib

        def build():
            index = hnswlib.Index(space=metric, dim=dimensions)
            index.init_index(len(x), M=M, ef_construction=EF_CONSTRUCTION)
            index.add_items(x, num_threads=threads)
            return index

        def search(index, ef, q, some=None):
            index.set_ef(ef)
            accept = None if some is None else some.__getitem__
            return index.knn_query(q, k=K, num_threads=threads, filter=accept)[0]
    elif library == "faiss":
        import faiss

        faiss.omp_set_num_threads(threads)

        def build():
            kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
            index = faiss.IndexHNSWFlat(dimensions, M, kind)
            index.hnsw.efConstruction = EF_CONSTRUCTION
            index.add(x)
            return index

        def search(index, ef, q, some=None):
            selector = None if some is None else faiss.IDSelectorBatch(np.flatnonzero(some))
            return index.search(q, K, params=faiss.SearchParametersHNSW(efSearch=ef, sel=selector))[1]
    else:
        from usearch.index import Index

        def build():
            index = Index(
                ndim=dimensions, metric="cos" if metric == "cosine" else "l2sq", dtype="f32", connectivity=M,
                expansion_add=EF_CONSTRUCTION)
            index.add(np.arange(len(x)), x, threads=threads)
            return index

        def search(index, ef, q, some=None):
            index.expansion_search = ef
            return index.search(q, K, threads=threads).keys

    def best(index, ef, q, some=None):
        times = []
        for _ in range(ROUNDS):
            if sum(times) > LIMIT:
                break
            start = time.perf_counter()
            found = search(index, ef, q, some)
            times.append(time.perf_counter() - start)
        return found, int(len(q) / min(times))

    def recall(found, wanted):
        return np.mean([len(set(a) & set(b)) / K for a, b in zip(found, wanted)])

    before, start = resident(), time.perf_counter()
    index = build()
    print(f"build\t{time.perf_counter() - start}\t{(resident() - before) // len(x)}", flush=True)
    for ef in WIDTHS:
        found, speed = best(index, ef, q)
        print(f"search\t{ef}\t{recall(found, expected)}\t{speed}", flush=True)
    if library == "usearch" or threads > 1:
        return
    q = q[:FILTERED]
    for share in (100, 10, 1):
        some = passes(len(x), share)
        rows = np.flatnonzero(some)
        if metric == "l2":
            apart = (q**2).sum(1)[:, None] + (x[rows] ** 2).sum(1)[None] - 2 * q @ x[rows].T
        else:
            apart = -(q / np.linalg.norm(q, axis=1)[:, None]) @ (x[rows] / np.linalg.norm(x[rows], axis=1)[:, None]).T
        wanted = rows[np.argsort(apart, axis=1)[:, :K]]
        try:
            found, speed = best(index, 64, q, some)
            way = "walk, ef 64, predicate in Python" if library == "hnswlib" else "walk, ef 64"
            print(f"filter\t{share}\t{way}\t{recall(found, wanted)}\t{speed}", flush=True)
        except RuntimeError:  # hnswlib: fewer than k results
            print(f"filter\t{share}\tfails\t0\t0", flush=True)


class Clock:
    """Tells how far it is, and when the time is over."""

    def __init__(self, minutes):
        self.start = time.monotonic()
        self.end = self.start + 60 * minutes

    def tell(self, text):
        seconds = time.monotonic() - self.start
        print(f"[{int(seconds) // 60}:{int(seconds) % 60:02}] {text}", file=sys.stderr, flush=True)

    @property
    def rest(self):
        return self.end - time.monotonic()


def measure(clock, title, command):
    """The results that a command prints; `None` when the time is over or it fails."""
    if clock.rest <= 0:
        clock.tell(f"{title}: left out, the time is over")
        return None
    clock.tell(title)
    result = {"search": [], "filter": [], "insert": []}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(clock.rest, process.kill)
    timer.start()
    for line in process.stdout:
        name, *fields = line.rstrip("\n").split("\t")
        clock.tell(f"  {line.strip()}")
        if name == "build":
            result["build"], result["bytes"] = float(fields[0]), int(fields[1])
        elif name == "search":
            result["search"].append((float(fields[1]), float(fields[2]), int(fields[0])))
        elif name in ("filter", "wire-filter"):
            result["filter"].append((int(fields[0]), fields[1], float(fields[2]), int(fields[3])))
        elif name == "insert":
            result["insert"].append((fields[0], int(fields[1])))
        elif name == "linked":
            result["linked"] = float(fields[0])
        elif name == "memory":
            result["bytes"] = int(fields[0])
        elif name == "wire":
            result.setdefault(f"wire {fields[0]}", []).append((float(fields[2]), float(fields[3]), int(fields[1])))
    failed = process.wait() != 0
    timer.cancel()
    if failed:
        clock.tell(f"{title}: ended with {process.returncode}; what it printed before counts")
    return result


def speed_at(result, target, kind="search"):
    """Queries a second at a recall, between the two measured points around it."""
    points = sorted((result or {}).get(kind, []), key=lambda point: point[2])
    for before, after in zip(points, points[1:]):
        if before[0] <= target <= after[0] and after[0] > before[0]:
            part = (target - before[0]) / (after[0] - before[0])
            return math.exp(math.log(before[1]) * (1 - part) + math.log(after[1]) * part)
    return points[0][1] if points and points[0][0] > target else None


def serve(nexadb, directory):
    """A server over an empty directory, and its address."""
    os.makedirs(directory)
    password = os.urandom(16).hex()
    environment = {**os.environ, "NEXADB_ROOT_PASSWORD": password}
    socket = f"{directory}/socket"
    log = open(f"{directory}/log", "w")
    server = subprocess.Popen(
        [nexadb, "--data-dir", f"{directory}/data", "--socket", socket], env=environment, stdout=log, stderr=log)
    end = time.monotonic() + 30
    while not os.path.exists(socket):
        if server.poll() is not None or time.monotonic() > end:
            server.kill()
            sys.exit(f"nexadb did not start: {open(f'{directory}/log').read()}")
        time.sleep(0.05)
    return server, f"nexadb+unix://root:{password}@{socket}"


def through_the_wire(clock, options, position, chosen):
    """Inserts and searches through a server and NexaClient."""
    title, vectors, queries, truth, dimensions, metric = chosen
    server, address = serve(options.nexadb, f"{options.directory}/server{position}")
    try:
        return measure(clock, f"{title}: through the wire", [
            options.bench, "wire", address, vectors, queries, truth, str(dimensions), metric, "none", "1",
            ",".join(map(str, WIRE_WIDTHS))])
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def table(columns, rows):
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def report(machine, sets, results, minutes):
    """All tables as Markdown, with what their columns are."""
    targets = (0.9, 0.95, 0.99)
    print(machine)
    print(f"The whole run took {minutes:.1f} minutes. M {M}, efConstruction {EF_CONSTRUCTION}, the {K} nearest, the best of up "
          f"to {ROUNDS} rounds of 1000 queries.")
    print("\n**In one process.** *build*: until all vectors are in the graph; *bytes*: growth of the process's memory for each "
          "vector; *queries/s at*: at this recall@10, between the two nearest ef that were measured; *best*: the highest "
          "recall that was measured. float16 and int8 find 36 and compare them with the vectors as given, as the engine does.")
    rows = []
    for title, *_ in sets:
        for threads in ("1", "2"):
            for library in LIBRARIES:
                result = results.get((title, library, threads))
                if result and "build" in result:
                    best = max((point[0] for point in result["search"]), default=0)
                    rows.append((title, library, threads, number(result["build"]), result["bytes"],
                                 *(number(speed_at(result, target)) for target in targets), f"{best:.4f}"))
    table(("vectors", "library", "threads", "build, s", "bytes",
           *(f"queries/s at {target:.2f}" for target in targets), "best"), rows)

    print("\n**Through NexaClient and a server** on the same machine, over a Unix socket, so that client and server share its "
          "processors. *callers*: searches on their way at a time; *beyond the process*: what a search of one caller takes more "
          "than the same in one process with one thread.")
    rows = []
    for title, *_ in sets:
        result, alone = results.get((title, "wire")), results.get((title, "NexaDB", "1"))
        for callers in (1, 2, 16):
            speeds = [speed_at(result, target, f"wire {callers}") for target in targets]
            if any(speeds):
                inside = [speed_at(alone, target) for target in targets]
                more = [f"{1e6 / a - 1e6 / b:.0f} µs" if a and b and callers == 1 else "" for a, b in zip(speeds, inside)]
                rows.append((title, callers, *map(number, speeds), more[1], more[2]))
    table(("vectors", "callers", *(f"queries/s at {target:.2f}" for target in targets), "beyond the process at 0.95",
           "at 0.99"), rows)

    print("\n**Inserts**, vectors a second. Through the wire a vector is on the disk and found by searches when its insert "
          "returns; the graph follows in the background (*until all are in the graph*: all of these inserts together).")
    rows = []
    for title, _, _, _, dimensions, _ in sets:
        count = int(title.split(" ")[0])
        for library in ("NexaDB", "hnswlib"):
            for threads in ("1", "2"):
                result = results.get((title, library, threads))
                if result and "build" in result:
                    how = f"{library} in one process, {threads} {'thread' if threads == '1' else 'threads'}"
                    rows.append((title, how, number(count / result["build"])))
        result = results.get((title, "wire"))
        if result:
            names = {"one by one, 1": "one by one, 1 caller", "one by one, 16": "one by one, 16 callers"}
            rows += [(title, f"wire, {names.get(how, how)}", number(speed)) for how, speed in result["insert"]]
            if "linked" in result:
                rows.append((title, "wire, until all are in the graph", number(count / result["linked"])))
    table(("vectors", "how", "vectors/s"), rows)

    print("\n**With a filter** that so many pass; *recall@10* of what passes, by comparing with all of them. NexaDB in one process "
          "knows what passes without looking; through the wire it looks at the documents, first without and then with an index of "
          "the filter's field. *by*: walking the graph, or comparing with all that pass.")
    rows = []
    for title, *_ in sets:
        for library in LIBRARIES:
            result = results.get((title, library, "1"))
            if result and ", " not in library:
                rows += [(title, library, *row) for row in result["filter"]]
        result = results.get((title, "wire"))
        if result:
            rows += [(title, "NexaDB, wire", *row) for row in result["filter"]]
    table(("vectors", "library", "pass", "by", "recall@10", "queries/s"),
          [(title, library, f"{share / 10:g} %", by, f"{recall:.3f}", number(speed))
           for title, library, share, by, recall, speed in rows])

    memory = [(title, results[title, "wire"]["bytes"]) for title, *_ in sets
              if (results.get((title, "wire")) or {}).get("bytes")]
    for title, bytes in memory:
        print(f"\nThe server's index of {title} takes {bytes} bytes of memory for each vector, as it says itself.")


LIBRARIES = ["NexaDB", "NexaDB, float16", "NexaDB, int8", "hnswlib", "faiss", "usearch"]


def main():
    if sys.argv[1] == "other":
        library, vectors, queries, truth, dimensions, metric, threads = sys.argv[2:]
        other(library, vectors, queries, truth, int(dimensions), metric, int(threads))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--movies")
    parser.add_argument("--clusters", type=int, default=50_000)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--nexadb")
    parser.add_argument("--minutes", type=float, default=12)
    options = parser.parse_args()

    clock = Clock(options.minutes)
    sets = []
    if options.movies and os.path.exists(f"{options.movies}/embeddings.f32"):
        parts = [f"{options.movies}/{name}" for name in ("embeddings.f32", "queries.f32", "truth.i32")]
        sets.append((f"{os.path.getsize(parts[0]) // 1536} × 384, films, cosine", *parts, 384, "cosine"))
    if options.clusters > 0:
        clock.tell("making clusters")
        sets.append(clusters(options.directory, options.clusters))
    machine = subprocess.run(
        [options.bench, "machine", options.directory], check=True, stdout=subprocess.PIPE, text=True).stdout
    results = {}

    def in_process(threads, libraries):
        for title, vectors, queries, truth, dimensions, metric in sets:
            where = [vectors, queries, truth, str(dimensions), metric]
            for library in libraries:
                if library.startswith("NexaDB"):
                    kind = library.partition(", ")[2] or "none"
                    command = [options.bench, "run", *where, kind, threads, ",".join(map(str, WIDTHS))]
                else:
                    command = [sys.executable, __file__, "other", library, *where, threads]
                results[title, library, threads] = measure(clock, f"{title}: {library}, threads: {threads}", command)

    # What matters most comes first: the time may be over before the end.
    try:
        threads = options.threads.split(",")
        in_process("1", LIBRARIES[:5])
        if options.nexadb:
            for position, chosen in enumerate(sets):
                results[chosen[0], "wire"] = through_the_wire(clock, options, position, chosen)
        if "2" in threads:
            in_process("2", ["NexaDB", "hnswlib", "faiss"])
        in_process("1", ["usearch"])
        if "2" in threads:
            in_process("2", ["usearch"])
    finally:
        report(machine, sets, results, (time.monotonic() - clock.start) / 60)


main()
