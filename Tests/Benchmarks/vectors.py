"""Measures the vector index by nexa-vector-bench, and hnswlib, usearch and Faiss; vectors.sh calls this."""

import argparse
import math
import os
import subprocess
import sys
import time

import numpy as np

WIDTHS = [16, 24, 32, 48, 64, 80, 100, 128, 160, 200, 300, 400]
M, EF_CONSTRUCTION, K, ROUNDS, FILTERED = 16, 200, 10, 3, 200


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
            print(f"filter\t{share}\twalk, ef 64\t{recall(found, wanted)}\t{speed}", flush=True)
        except RuntimeError:  # hnswlib: fewer than k results
            print(f"filter\t{share}\tfails\t0\t0", flush=True)


def measure(command):
    result = {"search": [], "filter": []}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        name, *fields = line.split("\t")
        if name == "build":
            result["build"], result["bytes"] = float(fields[0]), int(fields[1])
        elif name == "search":
            result["search"].append((float(fields[1]), float(fields[2]), int(fields[0])))
        elif name == "filter":
            result["filter"].append((int(fields[0]), fields[1], float(fields[2]), int(fields[3])))
        elif name == "insert":
            result.setdefault("insert", []).append((fields[0], int(fields[1])))
        elif name == "linked":
            result["linked"] = float(fields[0])
        elif name == "wire":
            result.setdefault(f"wire {fields[0]}", []).append((float(fields[2]), float(fields[3]), int(fields[1])))
        elif name == "wire-filter":
            result["filter"].append((int(fields[0]), fields[1], float(fields[2]), int(fields[3])))
    return result


def speed_at(result, target, kind="search"):
    """Queries a second at a recall, between the two measured points around it."""
    points = sorted(result[kind], key=lambda point: point[2])
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
    while not os.path.exists(socket):
        if server.poll() is not None:
            sys.exit(f"nexadb did not start: {open(f'{directory}/log').read()}")
        time.sleep(0.05)
    return server, f"nexadb+unix://root:{password}@{socket}"


def through_the_wire(options, sets):
    """Inserts and searches through a server and NexaClient."""
    print("\n| vectors | inserts/s: 1 caller | 16 callers | batches | all linked, s | callers | "
          "queries/s at 0.95 | at 0.99 |")
    print("|---|---|---|---|---|---|---|---|")
    filters = []
    for position, (title, vectors, queries, truth, dimensions, metric) in enumerate(sets):
        server, address = serve(options.nexadb, f"{options.directory}/server{position}")
        try:
            result = measure([
                options.bench, "wire", address, vectors, queries, truth, str(dimensions), metric, "none", "1",
                ",".join(map(str, WIDTHS))])
        finally:
            server.terminate()
            server.wait()
        inserts = [str(speed) for _, speed in result["insert"]] + [number(result["linked"])]
        for callers in (1, 16):
            speeds = [number(speed_at(result, target, f"wire {callers}")) for target in (0.95, 0.99)]
            print(f"| {title} | {' | '.join(inserts)} | {callers} | {' | '.join(speeds)} |", flush=True)
        filters += [(title, "through the wire", *row) for row in result["filter"]]
    return filters


def number(value):
    return "–" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main():
    if sys.argv[1] == "other":
        library, vectors, queries, truth, dimensions, metric, threads = sys.argv[2:]
        other(library, vectors, queries, truth, int(dimensions), metric, int(threads))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--movies")
    parser.add_argument("--clusters", type=int, default=100_000)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--nexadb")
    options = parser.parse_args()

    sets = []
    if options.movies and os.path.exists(f"{options.movies}/embeddings.f32"):
        parts = [f"{options.movies}/{name}" for name in ("embeddings.f32", "queries.f32", "truth.i32")]
        sets.append((f"{os.path.getsize(parts[0]) // 1536} × 384, films, cosine", *parts, 384, "cosine"))
    if options.clusters > 0:
        sets.append(clusters(options.directory, options.clusters))
    print(subprocess.run(
        [options.bench, "machine", options.directory], check=True, stdout=subprocess.PIPE, text=True).stdout)
    print("| vectors | library | threads | build, s | bytes a vector | queries/s at recall@10 0.95 | at 0.99 |")
    print("|---|---|---|---|---|---|---|")
    filters = []
    for title, vectors, queries, truth, dimensions, metric in sets:
        where = [vectors, queries, truth, str(dimensions), metric]
        for threads in options.threads.split(","):
            libraries = ["NexaDB", "hnswlib", "faiss", "usearch"]
            if threads == "1":
                libraries[1:1] = ["NexaDB, float16", "NexaDB, int8"]
            for library in libraries:
                if library.startswith("NexaDB"):
                    kind = library.partition(", ")[2] or "none"
                    widths = ",".join(map(str, WIDTHS))
                    result = measure([options.bench, "run", *where, kind, threads, widths])
                else:
                    result = measure([sys.executable, __file__, "other", library, *where, threads])
                cells = [number(result["build"]), str(result["bytes"])]
                cells += [number(speed_at(result, target)) for target in (0.95, 0.99)]
                print(f"| {title} | {library} | {threads} | {' | '.join(cells)} |", flush=True)
                if threads == "1" and ", " not in library:
                    filters += [(title, library, *row) for row in result["filter"]]
    if options.nexadb:
        filters += through_the_wire(options, sets)
    print("\n| vectors | library | pass | by | recall@10 | queries/s |")
    print("|---|---|---|---|---|---|")
    for title, library, share, method, recall, speed in filters:
        print(f"| {title} | {library} | {share / 10:g} % | {method} | {recall:.3f} | {speed} |")


main()
