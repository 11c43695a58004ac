import NexaValue

/// A running server that is measured, whatever it speaks.
protocol Target: AnyObject {
    var name: String { get }
    /// The version that the server tells.
    var version: String { get }

    /// The CPU time that the server has used, where its process is known.
    var cpuNanoseconds: Int64? { get }

    /// Fills the collection of films.
    ///
    /// - Returns: how it went; not part of the comparison.
    func load() throws(BenchmarkError) -> Measurement

    /// Checks that the server gives back what it was given.
    func verify() throws(BenchmarkError)

    /// Gets ready for some measurements of an operation.
    ///
    /// - Returns: false when the system does not offer the operation.
    func begin(_ operation: Operation) throws(BenchmarkError) -> Bool

    /// Measures a cell of the operation begun last.
    ///
    /// - Parameter seed: makes the requests; the same for every system.
    func measure(_ cell: Cell, length: RunLength, seed: UInt64) throws(BenchmarkError) -> Measurement
}

/// A server behind loopback TCP that speaks `Wire`.
final class WireTarget<Wire: WireProtocol>: Target {
    let version: String
    private let wire: Wire
    private let port: UInt16
    private let processes: ProcessTree?
    private let movies: Movies
    private let control: Connection<Wire.Scanner>
    /// Connections are opened once: a session costs some systems more than a whole measurement.
    private var pool: [Connection<Wire.Scanner>] = []
    private var preparedCount = 0
    private var operation = Operation.load
    private var templates: RequestTemplates?

    /// - Parameter process: the server's process, for its CPU time.
    init(_ wire: Wire, port: UInt16, process: Int32?, movies: Movies) throws(BenchmarkError) {
        self.wire = wire
        self.port = port
        self.movies = movies
        processes = process.map(ProcessTree.init)
        control = try Connection(port: port)
        version = try wire.begin(control)
    }

    var name: String { wire.name }
    var cpuNanoseconds: Int64? { processes?.cpuNanoseconds }

    func load() throws(BenchmarkError) -> Measurement {
        try wire.createCollections(control)
        guard try begin(.load) else { throw BenchmarkError("\(name) offers no inserts") }
        let cell = Cell(operation: .load, connections: 4, depth: 64)
        let result = try measure(cell, length: .operations(movies.documents.count), seed: 0)
        if let failure = result.firstFailure { throw BenchmarkError("load: \(failure)") }
        return result
    }

    func begin(_ operation: Operation) throws(BenchmarkError) -> Bool {
        self.operation = operation
        preparedCount = 0
        templates = nil  // Before the new ones are made: both together would take twice the memory.
        templates = try wire.templates(operation, movies)
        guard templates != nil else { return false }
        try wire.prepareServer(control, for: operation)
        return true
    }

    func measure(_ cell: Cell, length: RunLength, seed: UInt64) throws(BenchmarkError) -> Measurement {
        guard let templates, cell.operation == operation else {
            throw BenchmarkError("\(name) is not ready for \(cell.operation.rawValue)")
        }
        do throws(BenchmarkError) {
            try openConnections(cell.connections)
            var requests = RequestSequence(templates, seed: seed)
            let before = processes?.cpuNanoseconds
            var result = try LoadGenerator.run(
                Array(pool.prefix(cell.connections)), depth: cell.depth, requests: &requests, length: length)
            if let before, let after = processes?.cpuNanoseconds { result.serverCPUNanoseconds = after - before }
            if operation.isInsert {
                try checkInserted(result)
                try wire.removeInserted(control)
            }
            if operation.durability != nil {
                // What this system still does on its own must not be charged to the one that comes next.
                try wire.settle(control)
                processes?.waitUntilQuiet()
            }
            return result
        } catch {
            // What is still in flight must not answer the next measurement's requests.
            pool.removeAll()
            preparedCount = 0
            if operation.isInsert { try? wire.removeInserted(control) }
            throw error
        }
    }

    private func openConnections(_ count: Int) throws(BenchmarkError) {
        while pool.count < count {
            let connection = try Connection<Wire.Scanner>(port: port)
            _ = try wire.begin(connection)
            pool.append(connection)
        }
        while preparedCount < count {
            try wire.prepare(pool[preparedCount], for: operation)
            preparedCount += 1
        }
    }

    /// Every insert that was acknowledged must be there.
    private func checkInserted(_ result: Measurement) throws(BenchmarkError) {
        let expected = result.operations - result.failures
        let found = try wire.countInserted(control)
        guard found == expected else {
            throw BenchmarkError("\(expected) inserts were acknowledged, but \(found) documents are there")
        }
    }

    // MARK: Verification

    func verify() throws(BenchmarkError) {
        guard let reads = try wire.templates(.read, movies), let updates = try wire.templates(.updateOS, movies)
        else { throw BenchmarkError("\(name) offers no reads") }
        try wire.prepareServer(control, for: .updateOS)
        let connection = try Connection<Wire.Scanner>(port: port)
        _ = try wire.begin(connection)
        try wire.prepare(connection, for: .read)
        let count = movies.documents.count
        for index in [0, 1, count / 3, count / 2, count - 1] {
            let film = movies.documents[index]
            let number = 1_234_567_890
            try check(connection, reads.request(index: index), film, number: nil)
            _ = try connection.exchange(updates.request(index: index, number: number))
            try check(connection, reads.request(index: index), film, number: Int64(number))
        }
        guard let queries = try wire.templates(.query, movies) else { return }
        for (index, year) in movies.years.enumerated().prefix(3) {
            let found = try wire.documentCount(inReply: connection.exchange(queries.request(index: index)))
            guard found == year.count else {
                throw BenchmarkError("\(name) finds \(found) films of \(year.year); there are \(year.count)")
            }
        }
    }

    private func check(
        _ connection: Connection<Wire.Scanner>, _ request: [UInt8], _ film: Document, number: Int64?
    ) throws(BenchmarkError) {
        let stored = try wire.document(inReply: connection.exchange(request))
        for (key, value) in film where stored[key] != value {
            throw BenchmarkError("\(name) gives '\(key)' back changed: \(String(describing: stored[key]))")
        }
        guard stored["views"]?.int == number else {
            throw BenchmarkError("\(name) has not stored the update: \(String(describing: stored["views"]))")
        }
    }
}
