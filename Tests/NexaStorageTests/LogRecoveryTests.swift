import Glibc
import NexaStorage
import TestKit
import Testing

/// What a crash, a power cut or a failing device leaves of the commit log, and what opening makes of it.
@Suite struct LogRecoveryTests {
    /// A directory as `kill -9` leaves it: `count` commits acknowledged, none of them in the tables' files.
    private func crashed(_ count: UInt8, durability: Durability = .sync, size: Int = 40) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        for key in 1...count { try store.put([key], [UInt8](repeating: key, count: size), durability: durability) }
        let copy = try TemporaryDirectory(copying: directory.path, inMemory: true)
        store.close()
        return copy
    }

    private func logFile(_ directory: TemporaryDirectory) throws -> String {
        try #require(Files.names(in: directory["log"]).last { $0.hasSuffix(".log") }).description
    }

    /// Opens and returns what is there, with what was reported.
    private func open(
        _ directory: TemporaryDirectory, _ options: StoreOptions = smallOptions
    ) -> (keys: Result<[UInt8], StorageError>, warnings: [StorageNotice]) {
        let notices = Collector<StorageNotice>()
        do throws(StorageError) {
            let store = try Store(at: directory.path, options: options) { notices.add($0) }
            let keys = try store.contents().keys.compactMap(\.first).sorted()
            // What was recovered can be written to, and stays.
            try store.put([250], [1])
            store.close()
            return (.success(keys), notices.all.filter { $0.severity == .warning })
        } catch {
            return (.failure(error), notices.all.filter { $0.severity == .warning })
        }
    }

    /// Where the last record begins and ends, found by its length field.
    private func lastRecord(_ log: [UInt8]) throws -> Range<Int> {
        var offset = 64
        var last: Range<Int>?
        while offset + 32 <= log.count, log[offset] == 0x4E {
            let length = (0..<4).reduce(0) { $0 | Int(log[offset + 4 + $1]) << (8 * $1) }
            let end = (offset + 32 + length + 7) & ~7
            last = offset..<end
            offset = end
        }
        return try #require(last)
    }

    @Test func everythingIsThereAfterACrash() throws {
        let directory = try crashed(50)
        let (keys, warnings) = open(directory)
        #expect(try keys.get() == Array(1...50))
        #expect(warnings.isEmpty)
        let (again, quiet) = open(directory)
        #expect(try again.get() == Array(1...50) + [250])
        #expect(quiet.isEmpty)
    }

    @Test func writesOfBothDurabilitiesSurviveTheProcess() throws {
        #expect(try open(crashed(50, durability: .os)).keys.get() == Array(1...50))
    }

    @Test func aRecordCutAtAnyByteCostsThatRecordOnly() throws {
        let original = try crashed(5)
        let name = try logFile(original)
        let log = Files.read(original["log/" + name])
        let record = try lastRecord(log)
        for cut in record.lowerBound..<record.upperBound {
            // Either the file ends there, or its rest was never written: zeros to the old end.
            let directory = try TemporaryDirectory(copying: original.path, inMemory: true)
            let rest = cut % 2 == 0 ? [] : [UInt8](repeating: 0, count: log.count - cut)
            try Files.write(Array(log[..<cut]) + rest, to: directory["log/" + name])
            let (keys, warnings) = open(directory)
            // The padding at the end may be missing.
            let isWhole = log[cut..<record.upperBound].allSatisfy { $0 == 0 }
            #expect(try keys.get() == (isWhole ? [1, 2, 3, 4, 5] : [1, 2, 3, 4]), "cut at \(cut)")
            let isClean = isWhole || log[record.lowerBound..<cut].allSatisfy { $0 == 0 }
            #expect(warnings.isEmpty == isClean, "cut at \(cut): \(warnings)")
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func flippedBytesNeverLoseAnythingSilently(_ seed: UInt64) throws {
        let count: UInt8 = 20
        let original = try crashed(count)
        let name = try logFile(original)
        let log = Files.read(original["log/" + name])
        let end = try lastRecord(log).upperBound
        var random = SplitMix64(seed: seed)
        for _ in 0..<60 {
            let directory = try TemporaryDirectory(copying: original.path, inMemory: true)
            var damaged = log
            let position = Int(random.next() % UInt64(end + 64))
            damaged[position] ^= UInt8(1) << UInt8(random.next() % 8)
            try Files.write(damaged, to: directory["log/" + name])
            let (keys, warnings) = open(directory)
            let place = "seed \(seed), byte \(position)"
            switch keys {
            case .success(let keys):
                #expect(keys == Array(1...UInt8(max(1, keys.count))), "\(place): a prefix, never a hole")
                #expect(keys.count == Int(count) || !warnings.isEmpty, "\(place)")
                #expect(keys.count >= Int(count) - 1, "\(place): a flip in the tail costs the last record at most")
            case .failure(let error):
                #expect(error.code == .logDamaged, "\(place): \(error)")
                #expect(error.message.contains(name) && error.advice.contains("discard-after-damage"))
            }
        }
    }

    @Test func damageInTheMiddleIsRefusedAndCanBeGivenUp() throws {
        let directory = try crashed(20)
        let name = try logFile(directory)
        var log = Files.read(directory["log/" + name])
        let second = 64 + (try lastRecord(log)).count
        log[second + 40] ^= 0x10
        try Files.write(log, to: directory["log/" + name])
        for _ in 0..<2 {
            guard case .failure(let error) = open(directory).keys else {
                Issue.record("opened")
                return
            }
            #expect(error.code == .logDamaged && error.message.contains("1 acknowledged commit"))
        }
        var options = smallOptions
        options.logRecovery = .discardAfterDamage
        let (keys, warnings) = open(directory, options)
        #expect(try keys.get() == [1])
        #expect(warnings.count == 1)
        #expect(Files.read(directory["log/" + name + ".damaged"]) == log)
        #expect(try open(directory).keys.get() == [1, 250])
    }

    @Test func unsyncedWritesAfterAPowerCutMayHaveHoles() throws {
        // Pages reach the device in any order: an earlier unsynced record may be missing where a later one is there.
        let directory = try crashed(20, durability: .os)
        let name = try logFile(directory)
        var log = Files.read(directory["log/" + name])
        let size = try lastRecord(log).count
        for position in 64 + 9 * size..<64 + 10 * size { log[position] = 0 }
        try Files.write(log, to: directory["log/" + name])
        let (keys, warnings) = open(directory)
        #expect(try keys.get() == Array(1...9))
        #expect(warnings.count == 1 && warnings[0].message.contains("10 commit(s)"), "\(warnings)")
    }

    @Test func manyFilesAndCheckpoints() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = smallOptions
        options.logSegmentBytes = 1 << 16
        options.checkpointLogBytes = 1 << 18
        let store = try Store(at: directory.path, options: options)
        for number in 0..<400 {
            try store.put(
                [UInt8(number / 256), UInt8(number % 256)], [UInt8](repeating: 1, count: 3000), durability: .os)
        }
        // By a thread of their own, which may be late when there is much else to do.
        for _ in 0..<2000 where Files.names(in: directory["log"]).count >= 20 { usleep(5000) }
        #expect(Files.names(in: directory["log"]).count < 20, "checkpoints remove what the tables hold")
        // None is under way or due while the directory is copied.
        try store.checkpoint()
        try store.put([9, 9], [1])
        let copy = try TemporaryDirectory(copying: directory.path, inMemory: true)
        store.close()
        let recovered = try Store(at: copy.path, options: options)
        #expect(try recovered.contents().count == 401)
        recovered.close()
        #expect(Files.names(in: directory["log"]).count == 1)
    }

    @Test func damageThatTheTablesCoverCostsNothing() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        for key in 1...10 as ClosedRange<UInt8> { try store.put([key], [key]) }
        try store.checkpoint()
        for key in 11...20 as ClosedRange<UInt8> { try store.put([key], [key]) }
        let copy = try TemporaryDirectory(copying: directory.path, inMemory: true)
        store.close()
        let name = try logFile(copy)
        var log = Files.read(copy["log/" + name])
        log[64 + 40] ^= 1
        try Files.write(log, to: copy["log/" + name])
        let (keys, warnings) = open(copy)
        #expect(try keys.get() == Array(1...20))
        #expect(warnings.count == 1 && warnings[0].message.contains("nothing is lost"))
    }

    @Test func tablesAheadOfTheLogAreNotSetBack() throws {
        // After a power cut the tables may hold unsynced commits that the log has lost.
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [1])
        let early = try TemporaryDirectory(copying: directory.path, inMemory: true)
        try store.put([1], [2])
        try store.put([2], [2])
        try store.checkpoint()
        let late = try TemporaryDirectory(copying: directory.path, inMemory: true)
        store.close()
        remove(early["tables"])
        try Files.copyFolder(late["tables"], to: early["tables"])
        let recovered = try Store(at: early.path, options: smallOptions)
        #expect(try recovered.contents() == [[1]: [2], [2]: [2]])
        #expect(recovered.commitSequence == 3)
        recovered.close()
    }

    @Test func missingLogFilesAreNoticed() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = smallOptions
        options.logSegmentBytes = 1 << 16
        let store = try Store(at: directory.path, options: options)
        for key in 0..<100 as Range<UInt8> { try store.put([key], [UInt8](repeating: 1, count: 3000)) }
        let copy = try TemporaryDirectory(copying: directory.path, inMemory: true)
        store.close()
        let files = Files.names(in: copy["log"])
        try #require(files.count > 3)
        for missing in [0, 1] {
            let damaged = try TemporaryDirectory(copying: copy.path, inMemory: true)
            remove(damaged["log/" + files[missing]])
            guard case .failure(let error) = open(damaged, options).keys else {
                Issue.record("opened without \(files[missing])")
                continue
            }
            #expect(error.code == .logDamaged)
        }
    }

    @Test func bytesInADocumentNeverPassForARecord() throws {
        // A record of another store, put into a document behind a damaged place.
        let donor = try crashed(3)
        let foreign = Array(Files.read(donor["log/" + (try logFile(donor))])[64..<400])
        for shift in 0..<8 {
            let directory = try TemporaryDirectory(inMemory: true)
            let store = try Store(at: directory.path, options: smallOptions)
            try store.put([1], [UInt8](repeating: 0, count: shift) + foreign)
            let copy = try TemporaryDirectory(copying: directory.path, inMemory: true)
            store.close()
            let name = try logFile(copy)
            var log = Files.read(copy["log/" + name])
            log[64 + 5] ^= 1
            try Files.write(log, to: copy["log/" + name])
            let (keys, warnings) = open(copy)
            #expect(try keys.get() == [] && warnings.count == 1)
        }
    }

    @Test func aLostCheckpointIsNotANewDirectory() throws {
        let directory = try crashed(3)
        remove(directory["CHECKPOINT"])
        guard case .failure(let error) = open(directory).keys else {
            Issue.record("opened")
            return
        }
        #expect(error.code == .corrupted && error.message.contains("CHECKPOINT"))
    }

    @Test func garbageFilesNeverCrash() throws {
        var random = SplitMix64(seed: 77)
        let original = try crashed(3)
        for file in ["CHECKPOINT", "FORMAT", "tables/CURRENT", "log/" + (try logFile(original)), "LOCK"] {
            for length in [0, 1, 30, 4096] {
                let directory = try TemporaryDirectory(copying: original.path, inMemory: true)
                try Files.write((0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }, to: directory[file])
                let (keys, warnings) = open(directory)
                if case .success(let keys) = keys, file != "LOCK" {
                    #expect(keys == [1, 2, 3] || !warnings.isEmpty, "\(file), \(length) bytes: \(keys)")
                }
            }
        }
    }
}
