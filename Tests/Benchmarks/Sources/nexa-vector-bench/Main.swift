import Glibc
import NexaBenchmark
import NexaVector

/// The command `nexa-vector-bench`: times the vector index in this process; `vectors.py` runs it and compares.
///
/// `nexa-vector-bench run VECTORS QUERIES TRUTH DIMENSIONS METRIC QUANTIZATION THREADS EF,EF,…` prints lines of
/// fields between tabs: `build SECONDS BYTES-PER-VECTOR`, `search EF RECALL QPS` for each ef, and
/// `filter PERMILLE METHOD RECALL QPS`. `nexa-vector-bench wire URI VECTORS …` does it through a server, which gets the
/// vectors first, and `nexa-vector-bench machine DIRECTORY` describes the machine; `codec` times
/// the encoding of vectors. How far it is goes to standard error.
@main
struct Main {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.count == 2, arguments[0] == "machine" {
            print(Machine(directory: arguments[1], swift: nil).description)
            return
        }
        if arguments == ["codec"] {
            do { try CodecBench.run() } catch { print("nexa-vector-bench: \(error)") }
            return
        }
        let uri = arguments.count == 10 && arguments[0] == "wire" ? arguments[1] : nil
        guard uri != nil || arguments.first == "run", let bench = VectorBench(arguments.suffix(8)) else {
            let numbers = "VECTORS QUERIES TRUTH DIMENSIONS METRIC QUANTIZATION THREADS EFS"
            print("usage: nexa-vector-bench run|wire URI \(numbers)")
            exit(2)
        }
        do {
            if let uri { try await WireBench(bench: bench, uri: uri).run() } else { try await bench.run() }
        } catch {
            print("nexa-vector-bench: \(error)")
            exit(1)
        }
    }
}

/// One run over one set of vectors.
struct VectorBench: Sendable {
    let vectors: FloatFile
    let queries: FloatFile
    /// The rows nearest to each query.
    let truth: [[Int32]]
    let dimensions: Int
    let configuration: VectorIndex.Configuration
    let threads: Int
    let widths: [Int]
    static let k = 10
    static let rounds = 3
    /// No new round of the same searches begins after this time.
    static let limit = Duration.seconds(2)
    /// How many of the queries are asked with a filter.
    static let filtered = 200

    init?(_ arguments: some Collection<String>) {
        let arguments = Array(arguments)
        guard arguments.count == 8, let dimensions = Int(arguments[3]),
            let metric = VectorIndex.Metric(rawValue: arguments[4]),
            let quantization = VectorIndex.Quantization(rawValue: arguments[5]), let threads = Int(arguments[6]),
            let vectors = FloatFile(arguments[0]), let queries = FloatFile(arguments[1]),
            let truth = FloatFile(arguments[2])
        else { return nil }
        self.dimensions = dimensions
        self.vectors = vectors
        self.queries = queries
        let count = queries.values.count / dimensions
        let length = truth.values.count / count
        self.truth = (0..<count).map { query in
            (0..<Self.k).map { Int32(bitPattern: truth.values[query * length + $0].bitPattern) }
        }
        self.threads = threads
        configuration = .init(dimensions: dimensions, metric: metric, quantization: quantization)
        widths = arguments[7].split(separator: ",").compactMap { Int($0) }
    }

    var count: Int { vectors.values.count / dimensions }

    func run() async throws {
        let before = Self.residentBytes
        let start = ContinuousClock.now
        let index = try VectorIndex(configuration)
        for row in 0..<count { try index.put(vectors.row(row, dimensions), id: Self.id(row)) }
        await withTaskGroup { group in
            for _ in 0..<threads { group.addTask { while index.link(limit: 1000) > 0 {} } }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        say("build\t\(seconds)\t\((Self.residentBytes - before) / count)")
        for width in widths {
            let (found, speed) = await best { search(index, $0, width) }
            say("search\t\(width)\t\(Self.recall(found, truth))\t\(speed)")
        }
        guard threads == 1, configuration.quantization == .none else { return }
        for share in [100, 10, 1] { await filter(index, share) }
    }

    /// One search as the engine makes it: what a quantised index finds is compared once more, with the vectors as given.
    private func search(_ index: VectorIndex, _ query: Span<Float>, _ width: Int) -> [VectorIndex.Match] {
        guard configuration.quantization != .none else { return index.search(query, k: Self.k, ef: width).matches }
        let wanted = 2 * Self.k + 16
        var matches = index.search(query, k: wanted, ef: max(width, wanted)).matches
        for position in matches.indices {
            let row = Int(Self.number(matches[position].id))
            matches[position].distance = VectorIndex.distance(
                configuration.metric, query, vectors.span(row, dimensions))
        }
        matches.sort { $0.distance < $1.distance }
        return Array(matches.prefix(Self.k))
    }

    /// The rows nearest to the first queries among those that pass a filter, by comparing with each.
    func nearest(_ queries: Int, _ share: Int) -> [[Int32]] {
        let rows = (0..<Int32(count)).filter { Self.passes($0, share) }
        return (0..<queries).map { query in
            let distances = rows.map { row in
                let vector = vectors.span(Int(row), dimensions)
                return VectorIndex.distance(configuration.metric, self.queries.span(query, dimensions), vector)
            }
            return rows.indices.sorted { distances[$0] < distances[$1] }.prefix(Self.k).map { rows[$0] }
        }
    }

    /// Searches among one vector of a thousand, or more, the way the engine chooses to.
    private func filter(_ index: VectorIndex, _ share: Int) async {
        let passes = (0..<index.slotBound).map { Self.passes(Self.number(index.id(of: $0) ?? []), share) }
        let slots = (0..<index.slotBound).filter { passes[Int($0)] }
        let exact = nearest(min(Self.filtered, truth.count), share)
        let isRare = slots.count * 20 < count
        for width in isRare ? [0] : [32, 64, 128] {
            let (found, speed) = await best(Self.filtered) { query in
                isRare
                    ? index.exactSearch(query, k: Self.k, among: slots)
                    : index.search(query, k: Self.k, ef: width) { passes[Int($0)] }.matches
            }
            let method = isRare ? "scan" : "walk, ef \(width)"
            say("filter\t\(share)\t\(method)\t\(Self.recall(found, exact))\t\(speed)")
        }
    }

    static func passes(_ row: Int32, _ share: Int) -> Bool {
        UInt32(truncatingIfNeeded: row) &* 2_654_435_761 % 1000 < UInt32(share)
    }

    // MARK: Searching

    private typealias Search = @Sendable (Span<Float>) -> [VectorIndex.Match]

    /// The answers, and the queries a second of the best round.
    private func best(_ count: Int = .max, _ search: @escaping Search) async -> ([[Int32]], Int) {
        let count = min(count, truth.count)
        var answers: [[Int32]] = []
        var best = Double.infinity
        let deadline = ContinuousClock.now + Self.limit
        for round in 0..<Self.rounds where round == 0 || ContinuousClock.now < deadline {
            let start = ContinuousClock.now
            answers = await self.answers(count, search)
            best = min(best, (ContinuousClock.now - start) / .seconds(1))
        }
        return (answers, Int(Double(count) / best))
    }

    private func answers(_ count: Int, _ search: @escaping Search) async -> [[Int32]] {
        await withTaskGroup(of: (Int, [[Int32]]).self) { group in
            for thread in 0..<threads {
                group.addTask {
                    let part = count * thread / threads..<count * (thread + 1) / threads
                    let rows = part.map { query in
                        search(queries.span(query, dimensions)).map { Self.number($0.id) }
                    }
                    return (thread, rows)
                }
            }
            return await group.reduce(into: [(Int, [[Int32]])]()) { $0.append($1) }.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }

    static func recall(_ found: [[Int32]], _ truth: [[Int32]]) -> Double {
        let hits = zip(found, truth).reduce(0) { $0 + Set($1.0).intersection($1.1).count }
        return Double(hits) / Double(max(1, truth.prefix(found.count).reduce(0) { $0 + $1.count }))
    }

    // MARK: Numbers as ids

    static func id(_ row: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(row).littleEndian, Array.init) }

    static func number(_ id: [UInt8]) -> Int32 {
        Int32(truncatingIfNeeded: id.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }

    static var residentBytes: Int {
        let text = String(decoding: (try? contents(ofFile: "/proc/self/statm")) ?? [], as: UTF8.self)
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}

/// A file of little-endian numbers of four bytes, read once.
///
/// `@unchecked Sendable`: nothing is written after `init`.
final class FloatFile: @unchecked Sendable {
    let values: UnsafeMutableBufferPointer<Float>

    init?(_ path: String) {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else {
            perror(path)
            return nil
        }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        values = .allocate(capacity: size / 4)
        values.initialize(repeating: 0)
        var filled = 0
        while filled < size / 4 * 4 {
            let count = pread(
                descriptor, UnsafeMutableRawPointer(values.baseAddress!) + filled, size / 4 * 4 - filled, off_t(filled))
            guard count > 0 else { return nil }
            filled += count
        }
    }

    deinit { values.deallocate() }

    func row(_ index: Int, _ dimensions: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(rebasing: values[index * dimensions..<(index + 1) * dimensions])
    }

    @_lifetime(borrow self)
    func span(_ index: Int, _ dimensions: Int) -> Span<Float> {
        let span = Span(_unsafeElements: row(index, dimensions))
        return _overrideLifetime(span, borrowing: self)
    }
}

/// Writes a result at once: who reads them shows how far it is.
func say(_ text: String) { put(text + "\n", STDOUT_FILENO) }

/// Tells on standard error how far it is.
func tell(_ text: String) { put("nexa-vector-bench: \(text)\n", STDERR_FILENO) }

private func put(_ text: String, _ descriptor: Int32) {
    var text = text[...]
    while !text.isEmpty {
        let written = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
        guard written > 0 else { return }
        text = Substring(text.utf8.dropFirst(written))
    }
}
