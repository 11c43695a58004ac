import Synchronization
import TestKit
import Testing

@_spi(Testing) @testable import NexaStorage

/// What readers see through the cache while others write.
@Suite struct CacheCoherenceTests {
    private static let pairs = 40
    private static let rounds = 400

    private static func key(_ pair: Int, _ half: UInt8) -> [UInt8] { [1, UInt8(pair), half] }

    /// A value that says its number and is long in a way that differs.
    private static func value(_ number: Int) -> [UInt8] {
        [UInt8(number & 255), UInt8(number >> 8)] + [UInt8](repeating: UInt8(number % 251), count: number * 37 % 1500)
    }

    /// The number that a value says; -1 when it is no value that was ever written.
    private static func number(_ value: [UInt8]?) -> Int {
        guard let value else { return 0 }
        guard value.count >= 2 else { return -1 }
        let number = Int(value[0]) | Int(value[1]) << 8
        return value == Self.value(number) ? number : -1
    }

    /// A key's last acknowledged number.
    private final class Acknowledged: Sendable {
        let number = Atomic<Int>(0)
    }

    /// What was seen that may not be, by threads that are no part of a test.
    private final class Findings: Sendable {
        let list = Monitor<[String]>([])
        let writing = Atomic<Int>(2)

        func expect(_ isRight: Bool, _ what: @autoclosure () -> String) {
            if !isRight { list.withLock { $0.append(what()) } }
        }
    }

    // Threads of their own: tasks that never wait would take turns, not run beside each other.
    @Test(.timeLimit(.minutes(10))) func nobodySeesWhatIsOverOrWhatIsOfAnotherMoment() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        defer { store.close() }
        let acknowledged = (0..<Self.pairs).map { _ in Acknowledged() }
        let findings = Findings()
        let writers = try (0..<2).map { writer in
            try WorkerThread(name: "writer") {
                do {
                    try Self.write(store, acknowledged, writer)
                } catch {
                    findings.expect(false, "\(error)")
                }
                findings.writing.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            }
        }
        let readers = try (0..<2).map { _ in
            try WorkerThread(name: "reader") {
                do {
                    while findings.writing.load(ordering: .sequentiallyConsistent) > 0 {
                        for pair in 0..<Self.pairs {
                            let least = acknowledged[pair].number.load(ordering: .sequentiallyConsistent)
                            let found = Self.number(try store.value(Self.key(pair, 0)))
                            findings.expect(found >= least, "\(found) was read after \(least) was acknowledged")
                        }
                        for _ in 0..<10 { try Self.checkSnapshot(store, acknowledged, findings) }
                    }
                } catch {
                    findings.expect(false, "\(error)")
                }
            }
        }
        for thread in writers + readers { thread.join() }
        try Self.checkSnapshot(store, acknowledged, findings)
        #expect(findings.list.withLock { $0 } == [])
    }

    private static func write(_ store: Store, _ acknowledged: [Acknowledged], _ writer: Int) throws {
        for round in 1...rounds {
            for pair in 0..<pairs where pair % 2 == writer {
                var batch = WriteBatch()
                batch.put(.documents, key: key(pair, 0), value: value(round))
                // Written twice: the last one counts.
                batch.put(.documents, key: key(pair, 1), value: value(round - 1))
                batch.put(.documents, key: key(pair, 1), value: value(round))
                if round % 7 == 0 {
                    batch.delete(.documents, key: key(pair, 2))
                } else {
                    batch.put(.documents, key: key(pair, 2), value: value(round))
                }
                try store.write(batch, durability: .os)
                acknowledged[pair].number.store(round, ordering: .sequentiallyConsistent)
            }
        }
    }

    private static func checkSnapshot(_ store: Store, _ acknowledged: [Acknowledged], _ findings: Findings) throws {
        let least = acknowledged.map { $0.number.load(ordering: .sequentiallyConsistent) }
        let snapshot = try store.snapshot()
        var keys = KeyList()
        for pair in 0..<pairs { for half in UInt8(0)..<3 { keys.append(key(pair, half)) } }
        var first: [Int: Int] = [:]
        for attempt in 0..<2 {
            var found: [Int: Int] = [:]
            var last = -1
            try snapshot.get(.documents, keys) { number, value in
                findings.expect(number > last, "the keys were not in order")
                last = number
                found[number] = Self.number(value.withUnsafeBytes { Array($0) })
                return true
            }
            for pair in 0..<pairs {
                let number = found[pair * 3] ?? 0
                let other = found[pair * 3 + 1] ?? 0
                findings.expect(number >= least[pair], "\(number) is older than \(least[pair])")
                findings.expect(number == other, "\(number) and \(other) were never there together")
                let third = found[pair * 3 + 2] ?? 0
                findings.expect(third == (number % 7 == 0 ? 0 : number), "\(number) and \(third)")
                let single = try snapshot.get(.documents, key(pair, 1).span.bytes) { value in
                    Self.number(value.withUnsafeBytes { Array($0) })
                }
                findings.expect(single ?? 0 == number, "\(number) alone was \(single ?? 0)")
            }
            if attempt == 0 { first = found } else { findings.expect(found == first, "a snapshot changed") }
        }
    }

    @Test func severalKeysAtOnceWithAndWithoutTheCache() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        defer { store.close() }
        for number in 0..<50 where number % 3 != 0 {
            try store.put([2, UInt8(number)], Self.value(number + 1), durability: .os)
        }
        let old = try store.snapshot()
        try store.put([2, 1], Self.value(1000), durability: .os)
        let new = try store.snapshot()
        var keys = KeyList()
        for number in (0..<50).reversed() { keys.append([2, UInt8(number)]) }
        for (snapshot, changed) in [(old, 2), (new, 1000), (new, 1000)] {
            var found: [Int: Int] = [:]
            let missed = try snapshot.get(.documents, keys) { number, value in
                found[49 - number] = Self.number(value.withUnsafeBytes { Array($0) })
                return true
            }
            for number in 0..<50 {
                #expect(found[number] == (number % 3 == 0 ? nil : number == 1 ? changed : number + 1))
            }
            // What was just written is there without the tables; what is not there is looked for in them.
            #expect(missed == (changed == 1000 ? 17 : 50))
        }
        var count = 0
        try new.get(.documents, keys) { _, _ in
            count += 1
            return count < 5
        }
        #expect(count == 5)
        #expect(try new.get(.documents, KeyList()) { _, _ in true } == 0)
    }

    @Test func aFailedCommitLeavesNothingInTheCache() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        defer { store.close() }
        try store.put([1], [1])
        store.injectLogFailure(StorageError(.inputOutput, "no device", advice: "none"))
        #expect(throws: StorageError.self) { try store.put([1], [2]) }
        #expect(try store.value([1]) == [1])
    }
}
