import NexaStorage
import TestKit
import Testing

@Suite struct RangeTests {
    @Test func keysAreThereOrNot() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        func hasNone(_ keys: [UInt8]...) throws -> Bool { try store.containsNone(.documents, of: keys) }
        #expect(try hasNone([1], [9]))
        #expect(try hasNone())
        for key in [[3], [5, 0], [7]] as [[UInt8]] { try store.put(key, [1]) }
        // In memory, and from the tables.
        for _ in 0..<2 {
            #expect(try hasNone([1], [9]), "what lies between does not count")
            #expect(try hasNone([1], [2, 255]))
            #expect(try hasNone([3, 0], [5]), "a key is behind those that it continues")
            #expect(try !hasNone([3, 0], [5, 0]), "the last key counts")
            #expect(try !hasNone([3], [4]), "the first key counts")
            #expect(try !hasNone([1], [4], [5], [5, 0], [6], [8]), "and each between them")
            #expect(try hasNone([1], [4], [5], [5, 1], [6], [8]))
            #expect(try hasNone([7, 0], [255]))
            #expect(try store.containsNone(.indexes, of: [[3], [7]]))
            try store.checkpoint()
        }
        var batch = WriteBatch()
        batch.delete(.documents, key: [3])
        try store.write(batch)
        #expect(try hasNone([1], [3], [5]))
        store.close()
        #expect(throws: StorageError.self) { try hasNone([1], [5]) }
    }

    /// Whoever asks must not wait for the end of what was removed, or of what lies between.
    @Test func whereMuchLiesNobodyKnows() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        func key(_ number: Int) -> [UInt8] { [1, UInt8(number >> 8), UInt8(number & 255)] }
        func behind(_ number: Int) -> [UInt8] { key(number) + [0] }
        var batch = WriteBatch()
        for number in 0..<2000 { batch.put(.documents, key: key(number), value: [1]) }
        try store.write(batch)
        #expect(try store.containsNone(.documents, of: [behind(10), behind(500)]), "one jump")
        #expect(try !store.containsNone(.documents, of: [behind(10), key(1500)]))
        #expect(try store.containsNone(.documents, of: (0..<2000).map(behind)), "no jumps")
        #expect(try !store.containsNone(.documents, of: (0..<20).map { behind($0 * 100) }), "too many jumps")
        batch = WriteBatch()
        for number in 0..<2000 { batch.delete(.documents, key: key(number)) }
        try store.write(batch)
        #expect(try store.containsNone(.documents, of: [key(10), key(20)]))
        #expect(try !store.containsNone(.documents, of: [key(0), key(1999)]))
        #expect(try store.containsNone(.documents, of: [[2], [3]]))
    }

    /// The same answer as looking up each, wherever it is one.
    @Test func randomKeysAreFound() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        var random = SplitMix64(seed: 11)
        func draw(_ count: Int) -> [[UInt8]] {
            let keys = (0..<count).map { _ in
                [1, UInt8.random(in: 0...7, using: &random), .random(in: 0...63, using: &random)]
            }
            return Set(keys).sorted { $0.lexicographicallyPrecedes($1) }
        }
        let there = draw(100)
        for (number, key) in there.enumerated() {
            try store.put(key, [1])
            if number == 50 { try store.checkpoint() }
        }
        var answers = [0, 0]
        for _ in 0..<500 {
            let keys = draw(Int.random(in: 1...5, using: &random))
            let isNone = Set(keys).isDisjoint(with: there)
            let answer = try store.containsNone(.documents, of: keys)
            #expect(isNone || !answer, "\(keys)")
            if isNone { answers[answer ? 1 : 0] += 1 }
        }
        #expect(answers[1] > answers[0], "it mostly knows: \(answers)")
    }
}
