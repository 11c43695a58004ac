import NexaStorage
import TestKit
import Testing

@Suite struct RangeTests {
    @Test func aRangeIsEmptyOrNot() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        func isEmpty(_ first: [UInt8], _ last: [UInt8]) throws -> Bool {
            try store.isEmpty(.documents, from: first, through: last)
        }
        #expect(try isEmpty([1], [9]))
        for key in [[3], [5, 0], [7]] as [[UInt8]] { try store.put(key, [1]) }
        // In memory, and from the tables.
        for _ in 0..<2 {
            #expect(try !isEmpty([1], [9]))
            #expect(try isEmpty([1], [2, 255]))
            #expect(try isEmpty([3, 0], [5]), "a key is behind those that it continues")
            #expect(try !isEmpty([3, 0], [5, 0]), "the last key counts")
            #expect(try !isEmpty([3], [3]), "the first key counts")
            #expect(try isEmpty([7, 0], [255]))
            #expect(try isEmpty([9], [1]), "the wrong way round there is nothing")
            #expect(try store.isEmpty(.indexes, from: [0], through: [255]))
            try store.checkpoint()
        }
        var batch = WriteBatch()
        batch.delete(.documents, key: [3])
        try store.write(batch)
        #expect(try isEmpty([1], [5]))
        store.close()
        #expect(throws: StorageError.self) { try isEmpty([1], [5]) }
    }

    /// Whoever asks must not wait for the end of what was removed.
    @Test func whereMuchWasRemovedNobodyKnows() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        func key(_ number: Int) -> [UInt8] { [1, UInt8(number >> 8), UInt8(number & 255)] }
        for removes in [false, true] {
            var batch = WriteBatch()
            for number in 0..<2000 {
                if removes {
                    batch.delete(.documents, key: key(number))
                } else {
                    batch.put(.documents, key: key(number), value: [1])
                }
            }
            try store.write(batch)
        }
        #expect(try store.isEmpty(.documents, from: key(10), through: key(20)))
        #expect(try !store.isEmpty(.documents, from: key(0), through: key(1999)))
        #expect(try store.isEmpty(.documents, from: [2], through: [3]))
    }
}
