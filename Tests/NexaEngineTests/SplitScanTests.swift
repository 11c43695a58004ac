import Glibc
import NexaValue
import Synchronization
import TestKit
import Testing

@testable import NexaEngine
@testable import NexaStorage

@Suite struct SplitScanTests {
    /// Keys as they are in collections: numbers as texts lie unevenly, and some begin alike for long.
    private static let shapes: [(String, @Sendable (Int) -> [UInt8])] = [
        ("texts", { Array("d\($0)".utf8) + [0, 0] }),
        ("numbers", { number in withUnsafeBytes(of: UInt32(number).bigEndian) { Array($0) } }),
        (
            "all but one close together",
            { $0 == 0 ? [1] : [0xF0] + Array(repeating: 7, count: 40) + Array("\($0)".utf8) }
        ),
        ("alike", { Array(repeating: 3, count: $0 % 2000 + 1) + [UInt8($0 / 2000)] })
    ]

    @Test(arguments: [0, 1, 2, 63, 64, 5000])
    func eachDocumentComesOnceWhateverTheKeys(count: Int) throws {
        for (shape, make) in Self.shapes {
            let directory = try TemporaryDirectory(inMemory: true)
            let store = try Store(at: directory.path)
            defer { store.close() }
            let prefix: [UInt8] = [0, 0, 0, 9]
            var batch = WriteBatch()
            for number in 0..<count { batch.put(.documents, key: prefix + make(number), value: [UInt8(number & 255)]) }
            batch.put(.documents, key: [0, 0, 0, 8, 255], value: [1])
            batch.put(.documents, key: [0, 0, 0, 10], value: [1])
            try store.write(batch)
            let scan = try SplitScan(try store.snapshot(), lower: prefix, upper: prefix + [0xFF])
            // What comes later is not seen.
            var late = WriteBatch()
            late.put(.documents, key: prefix + [0x60], value: [1])
            try store.write(late)
            let found = Mutex<[[UInt8]]>([])
            let counted = Atomic<Int>(0)
            let threads = try (0..<3).map { number in
                try WorkerThread(name: "walk-\(number)") {
                    var mine: [[UInt8]] = []
                    try? scan.walk { (key, _) throws(EngineError) in
                        mine.append(key.withUnsafeBytes { Array($0) })
                    } pause: { (count) throws(EngineError) in
                        counted.add(count, ordering: .relaxed)
                        sched_yield()
                    }
                    found.withLock { $0 += mine }
                }
            }
            for thread in threads { thread.join() }
            let keys = found.withLock { $0 }
            #expect(keys.count == count, "\(shape)")
            #expect(Set(keys) == Set((0..<count).map { prefix + make($0) }), "\(shape)")
            #expect(counted.load(ordering: .relaxed) == count, "\(shape)")
            #expect(scan.last == (keys.max { $0.lexicographicallyPrecedes($1) } ?? []), "\(shape)")
        }
    }

    @Test func whoFailsEndsItForAll() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path)
        defer { store.close() }
        var batch = WriteBatch()
        for number in 0..<100_000 as Range<UInt32> {
            batch.put(.documents, key: [9] + withUnsafeBytes(of: number.bigEndian) { Array($0) }, value: [1])
        }
        try store.write(batch)
        let scan = try SplitScan(try store.snapshot(), lower: [9], upper: [10])
        let outcomes = Mutex<[Bool]>([])
        let seen = Atomic<Int>(0)
        let threads = try (0..<3).map { number in
            try WorkerThread(name: "walk-\(number)") {
                let outcome = Result { () throws(EngineError) in
                    try scan.walk { (_, _) throws(EngineError) in
                        if seen.add(1, ordering: .relaxed).newValue == 1000 { throw EngineError(.storage, "broken") }
                    } pause: { _ in
                    }
                }
                outcomes.withLock { outcomes in
                    if case .failure = outcome { outcomes.append(false) } else { outcomes.append(true) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(outcomes.withLock { $0.count { !$0 } } == 1)
        #expect(seen.load(ordering: .relaxed) < 100_000)
    }
}
