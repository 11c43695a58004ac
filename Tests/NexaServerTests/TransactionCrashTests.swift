import Glibc
import NexaProtocol
import NexaValue
import Synchronization
import TestKit
import Testing

/// A checker of histories: transactions and updates of single documents under concurrency, conflicts and `kill -9`.
///
/// Every write appends the name of its writer to the list `log` of a document, so that the lists in the end say in which
/// order everything happened; what was seen on the way, and what was acknowledged, has to agree with them.
@Suite(.serialized) struct TransactionCrashTests {
    /// What one transaction or one update did, and what it was told.
    struct Record {
        enum Outcome { case acknowledged, unknown, undone }

        var name: String
        var began: Int
        var ended = Int.max
        var outcome = Outcome.undone
        /// How long the lists were, and what stood last in them.
        var reads: [Int: (count: Int, last: String?)] = [:]
        /// The documents that it wrote.
        var writes: Set<Int> = []
        /// Its reads and writes are of one snapshot.
        var isTransaction = true
    }

    private final class History: Sendable {
        let clock = Atomic<Int>(0)
        let conflicts = Atomic<Int>(0)
        let names = Atomic<Int>(0)
        let records = Mutex<[Record]>([])

        func tick() -> Int { clock.add(1, ordering: .sequentiallyConsistent).newValue }
        func name() -> String { "w\(names.add(1, ordering: .relaxed).newValue)" }
        func add(_ record: Record) { records.withLock { $0.append(record) } }
    }

    private static let documents = 6

    private static func id(_ key: Int) -> Value { .string("k\(key)") }

    private static func push(_ key: Int, _ name: String) -> Request {
        .update(.init(namespace: .films, id: id(key), updates: encoded(["$push": ["log": .string(name)]])))
    }

    private static func log(_ fields: Document) -> [String] {
        (fields["document"]?.document ?? fields)["log"]?.array?.compactMap(\.string) ?? []
    }

    /// One transaction; false when the server is gone.
    private static func transact(_ peer: Peer, _ history: History, _ random: inout SplitMix64) -> Bool {
        var record = Record(name: history.name(), began: history.tick())
        defer { history.add(record) }
        guard let begun = try? peer.ask(.beginTransaction(.init())), begun.type == .success else { return false }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let key = Int.random(in: 0..<documents, using: &random)
            guard record.reads[key] == nil else { continue }
            guard let read = try? peer.ask(.read(.init(namespace: .films, id: id(key)))), read.type == .success else {
                return false
            }
            let log = log(read.fields)
            record.reads[key] = (log.count, log.last)
            guard Bool.random(using: &random) else { continue }
            guard let written = try? peer.ask(push(key, record.name)) else { return false }
            guard written.type == .success else {
                history.conflicts.add(1, ordering: .relaxed)
                return (try? peer.ask(.abortTransaction)) != nil
            }
            record.writes.insert(key)
        }
        if Int.random(in: 0..<10, using: &random) == 0 { return (try? peer.ask(.abortTransaction)) != nil }
        record.outcome = .unknown
        guard let reply = try? peer.ask(.commitTransaction(.init())) else { return false }
        record.ended = history.tick()
        if reply.type == .success {
            record.outcome = .acknowledged
        } else {
            history.conflicts.add(1, ordering: .relaxed)
            record.outcome = .undone
        }
        return true
    }

    /// One update or read of a document outside of transactions.
    private static func touch(_ peer: Peer, _ history: History, _ random: inout SplitMix64) -> Bool {
        var record = Record(name: history.name(), began: history.tick(), isTransaction: false)
        defer { history.add(record) }
        let key = Int.random(in: 0..<documents, using: &random)
        if Bool.random(using: &random) {
            guard let read = try? peer.ask(.read(.init(namespace: .films, id: id(key)))), read.type == .success else {
                return false
            }
            let log = log(read.fields)
            record.reads[key] = (log.count, log.last)
            record.outcome = .acknowledged
        } else {
            record.writes = [key]
            record.outcome = .unknown
            guard let reply = try? peer.ask(push(key, record.name)) else { return false }
            record.outcome = reply.type == .success ? .acknowledged : .undone
        }
        record.ended = history.tick()
        return true
    }

    private static func work(_ seed: UInt64, _ port: UInt16, _ history: History) {
        var random = SplitMix64(seed: seed)
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        while Int.random(in: 0..<3, using: &random) == 0
            ? touch(peer, history, &random) : transact(peer, history, &random)
        {}
    }

    // MARK: Checking

    /// What is wrong with a round, in words: the lists at its beginning and at its end, and what was done in between.
    static func findings(_ before: [[String]], _ after: [[String]], _ records: [Record]) -> [String] {
        var findings: [String] = []
        var places: [[String: Int]] = []
        for (key, log) in after.enumerated() {
            places.append(Dictionary(log.enumerated().map { ($1, $0) }, uniquingKeysWith: { one, _ in one }))
            if !log.starts(with: before[key]) { findings.append("document \(key) changed its past") }
            if places[key].count != log.count { findings.append("document \(key) has a write twice") }
        }
        let writers = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { one, _ in one })
        for (key, log) in after.enumerated() {
            for name in log.dropFirst(before[key].count) where writers[name]?.writes.contains(key) != true {
                findings.append("\(name) is in document \(key), where it was not written")
            }
        }
        for record in records {
            let present = record.writes.filter { places[$0][record.name] != nil }
            switch record.outcome {
            case .acknowledged where present.count < record.writes.count:
                findings.append("\(record.name) was acknowledged and is not in \(record.writes.subtracting(present))")
            case .undone where !present.isEmpty:
                findings.append("\(record.name) was not committed and is in \(present)")
            case .unknown where !present.isEmpty && present.count < record.writes.count:
                findings.append("of \(record.name) only \(present) of \(record.writes) are there")
            default: break
            }
            for (key, read) in record.reads {
                let log = after[key]
                // What was seen has not vanished. A reader does not see its own write: it reads first.
                guard read.count <= log.count, read.count == 0 || log[read.count - 1] == read.last else {
                    findings.append("\(record.name) saw \(read.last ?? "") in document \(key), which is gone")
                    continue
                }
                if read.count < before[key].count {
                    findings.append("\(record.name) did not see what was there before")
                }
                if let place = places[key][record.name], place != read.count {
                    findings.append("\(record.name) lost an update of document \(key)")
                }
            }
        }
        return findings + order(records, places)
    }

    /// Compares all pairs: snapshots are whole, on one line, and in the order of time.
    private static func order(_ records: [Record], _ places: [[String: Int]]) -> [String] {
        var findings: [String] = []
        for writer in records {
            let positions = writer.writes.compactMap { key in places[key][writer.name].map { (key, $0) } }
            guard !positions.isEmpty else { continue }
            for reader in records where reader.name != writer.name {
                let seen = positions.compactMap { key, place in reader.reads[key].map { $0.count > place } }
                if Set(seen).count > 1 { findings.append("\(reader.name) saw a part of \(writer.name)") }
                if writer.ended < reader.began, seen.contains(false) {
                    findings.append("\(reader.name) did not see \(writer.name), which had ended")
                }
                if writer.began > reader.ended, seen.contains(true) {
                    findings.append("\(reader.name) saw \(writer.name), which had not begun")
                }
                guard writer.ended < reader.began else { continue }
                for (key, place) in positions {
                    if let later = places[key][reader.name], later < place {
                        findings.append("\(reader.name) is before \(writer.name) in document \(key)")
                    }
                }
            }
        }
        for one in records where one.isTransaction {
            for other in records where other.isTransaction {
                let orders = one.reads.compactMap { key, read in
                    other.reads[key].flatMap { $0.count == read.count ? nil : $0.count < read.count }
                }
                if Set(orders).count > 1 { findings.append("\(one.name) and \(other.name) saw different orders") }
            }
        }
        return findings
    }

    @Test(arguments: [["--durability", "sync"], ["--durability", "os"]])
    func historiesHaveNoAnomaliesAcrossKills(options: [String]) async throws {
        let directory = try TemporaryDirectory()
        let history = History()
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        var before = [[String]](repeating: [], count: Self.documents)
        var acknowledged = 0
        var unknown = 0
        let rounds = 8
        for round in 0...rounds {
            let server = try ServerProcess(data: directory.path + "/data", options: options)
            let peer = try Peer(port: server.port).logIn()
            if round == 0 {
                for key in 0..<Self.documents {
                    let document: Document = ["_id": Self.id(key), "log": []]
                    try peer.ask(.insert(.init(namespace: .films, document: encoded(document))))
                }
            }
            var after: [[String]] = []
            for key in 0..<Self.documents {
                after.append(Self.log(try peer.ask(.read(.init(namespace: .films, id: Self.id(key)))).fields))
            }
            let records = history.records.withLock { records in
                defer { records = [] }
                return records
            }
            acknowledged += records.count { $0.outcome == .acknowledged && !$0.writes.isEmpty }
            unknown += records.count { $0.outcome == .unknown && !$0.writes.isEmpty }
            let findings = Self.findings(before, after, records)
            try #require(findings.isEmpty, "seed \(seed), round \(round): \(findings.prefix(5))")
            before = after
            guard round < rounds else {
                server.end(with: SIGKILL)
                break
            }
            let delay = UInt32(30_000 + random.next() % 80_000)
            let workers = (0..<8).map { _ in random.next() }
            await withTaskGroup(of: Void.self) { group in
                for worker in workers {
                    group.addTask { await onThread { Self.work(worker, server.port, history) } }
                }
                await onThread {
                    // Not before there is something to lose, however busy the machine is.
                    let contended = history.conflicts.load(ordering: .relaxed)
                    for _ in 0..<2000 where history.conflicts.load(ordering: .relaxed) == contended { usleep(10_000) }
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
        }
        #expect(acknowledged > 0 && unknown > 0, "seed \(seed): \(acknowledged) acknowledged, \(unknown) unknown")
        #expect(history.conflicts.load(ordering: .relaxed) > 0, "seed \(seed): nothing contended")
    }

    /// The checker finds what it is there to find.
    @Test func theCheckerFindsAnomalies() {
        func record(
            _ name: String, _ began: Int, _ ended: Int, _ outcome: Record.Outcome, reads: [Int: (Int, String?)] = [:],
            writes: Set<Int> = []
        ) -> Record {
            Record(
                name: name, began: began, ended: ended, outcome: outcome,
                reads: reads.mapValues { (count: $0.0, last: $0.1) }, writes: writes)
        }
        let none: [[String]] = [[], []]
        let a = record("a", 1, 2, .acknowledged, writes: [0, 1])
        #expect(Self.findings(none, [["a"], ["a"]], [a]).isEmpty)
        #expect(!Self.findings(none, [["a"], []], [a]).isEmpty)
        #expect(!Self.findings(none, [["a"], ["a", "a"]], [a]).isEmpty)
        #expect(!Self.findings([["x"], []], [["a"], ["a"]], [a]).isEmpty)
        var open = a
        open.outcome = .unknown
        #expect(Self.findings(none, none, [open]).isEmpty)
        #expect(!Self.findings(none, [["a"], []], [open]).isEmpty)
        open.outcome = .undone
        #expect(!Self.findings(none, [["a"], ["a"]], [open]).isEmpty)
        let torn = record("b", 1, 2, .acknowledged, reads: [0: (1, "a"), 1: (0, nil)])
        #expect(!Self.findings(none, [["a"], ["a"]], [a, torn]).isEmpty)
        let stale = record("c", 3, 4, .acknowledged, reads: [0: (0, nil)])
        #expect(!Self.findings(none, [["a"], ["a"]], [a, stale]).isEmpty)
        let vanished = record("d", 1, 4, .acknowledged, reads: [0: (1, "z")])
        #expect(!Self.findings(none, [["a"], ["a"]], [a, vanished]).isEmpty)
        let lost = record("e", 1, 4, .acknowledged, reads: [0: (0, nil)], writes: [0])
        #expect(!Self.findings(none, [["a", "e"], ["a"]], [a, lost]).isEmpty)
        let late = record("f", 5, 6, .acknowledged, writes: [0])
        #expect(!Self.findings(none, [["f", "a"], ["a"]], [a, late]).isEmpty)
    }
}
