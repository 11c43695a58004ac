import Glibc
@_spi(Testing) import NexaStorage
import TestKit
import Testing

@Suite struct StoreTests {
    @Test func readsWhatWasWritten() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [10, 11])
        #expect(try store.value([1]) == [10, 11])
        #expect(try store.value([1]) == [10, 11], "the second read comes from the cache")
        #expect(try store.value([2]) == nil)
        var batch = WriteBatch()
        batch.put(.documents, key: [1], value: [12])
        batch.delete(.documents, key: [3])
        batch.put(.catalog, key: [1], value: [99])
        try store.write(batch)
        #expect(try store.value([1]) == [12])
        #expect(try store.value([1], in: .catalog) == [99])
        #expect(store.commitSequence == 2)
    }

    @Test func emptyAndLargeValues() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let large = [UInt8](repeating: 7, count: 3 << 20)
        do {
            let store = try Store(at: directory.path, options: smallOptions)
            try store.put([1], [])
            try store.put([2], large)
            #expect(try store.value([1]) == [])
            #expect(try store.value([2]) == large)
        }
        let store = try Store(at: directory.path, options: smallOptions)
        #expect(try store.value([1]) == [])
        #expect(try store.value([2]) == large)
    }

    @Test func iteratesInOrderWithinBounds() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        for key in [5, 3, 9, 1, 7] as [UInt8] { try store.put([key], [key * 2]) }
        var iterator = try store.makeIterator(.documents, lower: [3], upper: [9])
        try store.put([4], [8])
        var keys: [UInt8] = []
        while try iterator.advance() {
            keys.append(iterator.key.unsafeLoad(as: UInt8.self))
            #expect(iterator.value.unsafeLoad(as: UInt8.self) == (keys.last ?? 0) * 2)
        }
        #expect(keys == [3, 5, 7], "an iterator shows the moment of its making")
        let isPast = try iterator.seek(to: ([8] as [UInt8]).span.bytes)
        #expect(!isPast)
        let isThere = try iterator.seek(to: ([6] as [UInt8]).span.bytes)
        #expect(isThere && iterator.key.unsafeLoad(as: UInt8.self) == 7)
        #expect(try store.contents().count == 6)
    }

    @Test func deletesRanges() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        for key in 0..<100 as Range<UInt8> { try store.put([1, key], [key], durability: .os) }
        for key in 0..<100 as Range<UInt8> { #expect(try store.value([1, key]) == [key]) }
        var batch = WriteBatch()
        batch.deleteRange(.documents, lower: [1, 10], upper: [1, 20])
        try store.write(batch)
        for key in 0..<100 as Range<UInt8> {
            #expect(try store.value([1, key]) == ((10..<20).contains(key) ? nil : [key]))
        }
        try store.checkpoint()
        #expect(try store.contents().count == 90)
    }

    @Test func snapshotsStayAsTheyWere() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [1])
        let snapshot = try store.snapshot()
        try store.put([1], [2])
        let old = try snapshot.get(.documents, ([1] as [UInt8]).span.bytes) { $0.unsafeLoad(as: UInt8.self) }
        #expect(old == 1)
        #expect(try store.value([1]) == [2])
    }

    @Test func closingUnderAnIteratorIsSafe() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [1])
        do {
            var iterator = try store.makeIterator(.documents)
            store.close()
            let found = try iterator.advance()
            #expect(found)
            #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
        }
        #expect(throws: StorageError.self) { try store.value([9]) }
        #expect(throws: StorageError.self) { try store.put([1], [1]) }
        let again = try Store(at: directory.path, options: smallOptions)
        #expect(try again.value([1]) == [1])
    }

    @Test func aSecondOpenerIsRefusedWithTheHolder() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        let error = #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
        #expect(error?.code == .locked)
        #expect(error?.message.contains(String(getpid())) == true)
        store.close()
        _ = try Store(at: directory.path, options: smallOptions)
    }

    @Test func aNewerFormatIsRefused() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        try Store(at: directory.path, options: smallOptions).close()
        try Files.write(Array("nexadb format 2\n".utf8), to: directory["FORMAT"])
        let error = #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
        #expect(error?.code == .formatTooNew)
        try Files.write(Array("something else\n".utf8), to: directory["FORMAT"])
        #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
    }

    @Test func aForeignDirectoryIsLeftAlone() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        try Files.write([1], to: directory["thesis.txt"])
        let error = #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
        #expect(error?.code == .notADataDirectory)
        #expect(Files.names(in: directory.path).contains("thesis.txt"))
    }

    @Test func lostTablesAreNotReplacedByEmptyOnes() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        try Store(at: directory.path, options: smallOptions).close()
        remove(directory["tables/CURRENT"])
        #expect(throws: StorageError.self) { try Store(at: directory.path, options: smallOptions) }
    }

    @Test func familiesOfLaterVersionsAreTolerated() throws {
        // A family that this version does not know is opened and left alone: RocksDB insists on all of them.
        let directory = try TemporaryDirectory(inMemory: true)
        let later = try Store(at: directory.path, options: smallOptions)
        later.addFamily("vectors")
        later.close()
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [1])
        store.close()
        #expect(try Store(at: directory.path, options: smallOptions).value([1]) == [1])
    }
}

@Suite struct StoreFailureTests {
    @Test(.timeLimit(.minutes(20))) func aDirectoryThatVanishesDoesNotHangTheStore() throws {
        var directory: TemporaryDirectory? = try TemporaryDirectory(inMemory: true)
        let notices = Collector<StorageNotice>()
        let store = try Store(at: try #require(directory).path, options: smallOptions) { notices.add($0) }
        try store.put([1], [1])
        directory = nil
        store.close()
        #expect(notices.all.contains { $0.severity == .warning })
    }
}
