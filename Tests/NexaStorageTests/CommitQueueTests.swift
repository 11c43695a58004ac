import Glibc
@_spi(Testing) import NexaStorage
import TestKit
import Testing

@Suite struct CommitQueueTests {
    @Test func commitsInOrderOfSubmission() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        let order = Collector<Int>()
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            for number in 0..<2000 {
                var batch = WriteBatch()
                batch.put(.documents, key: [1], value: [UInt8(number % 256), UInt8(number / 256)])
                store.submit(batch, durability: number % 3 == 0 ? .sync : .os) { result in
                    if case .success = result { order.add(number) }
                    if number == 1999 { done.resume() }
                }
            }
        }
        #expect(order.all == Array(0..<2000))
        #expect(try store.value([1]) == [UInt8(1999 % 256), UInt8(1999 / 256)])
    }

    @Test func deferredWritesWaitForTheTurnToEnd() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        let done = Collector<UInt64>()
        for number in 0..<10 as Range<UInt8> {
            var batch = WriteBatch()
            batch.put(.documents, key: [number], value: [number])
            let refusal = store.enqueue(batch, durability: .os) {
                if case .success(let sequence) = $0 { done.add(sequence) }
            }
            #expect(refusal == nil)
        }
        #expect(done.count == 0)
        store.commitPending()
        #expect(done.all == Array(1...10), "a group of os writes is committed by the caller itself")
    }

    @Test func manyThreadsShareGroups() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        let failures = Collector<StorageError>()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<16 as Range<UInt8> {
                group.addTask {
                    for number in 0..<100 as Range<UInt8> {
                        var batch = WriteBatch()
                        batch.put(.documents, key: [writer, number], value: [number])
                        await withCheckedContinuation { done in
                            store.submit(batch, durability: number % 2 == 0 ? .sync : .os) { result in
                                if case .failure(let error) = result { failures.add(error) }
                                done.resume()
                            }
                        }
                        // An acknowledged write is visible.
                        if (try? store.value([writer, number])) != [number] {
                            failures.add(.init(.corrupted, "", advice: ""))
                        }
                    }
                }
            }
        }
        #expect(failures.all.isEmpty)
        #expect(store.commitSequence == 1600)
        #expect(try store.contents().count == 1600)
    }

    @Test func afterAFailedCommitNothingIsAcknowledged() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        try store.put([1], [1])
        store.injectLogFailure(StorageError(.diskFull, "Cannot write: no space", advice: "Free space"))
        let results = Collector<String>()
        for number in 2..<6 as Range<UInt8> {
            var batch = WriteBatch()
            batch.put(.documents, key: [number], value: [number])
            let refusal = store.enqueue(batch, durability: .sync) { result in
                if case .failure(let error) = result {
                    results.add(error.code.rawValue)
                } else {
                    results.add("acknowledged")
                }
            }
            #expect(refusal == nil)
        }
        store.commitPending(mayFlush: true)
        #expect(results.all == ["diskFull", "diskFull", "diskFull", "diskFull"])
        store.injectLogFailure(nil)
        let error = #expect(throws: StorageError.self) { try store.put([9], [9]) }
        #expect(error?.code == .writesStopped && error?.message.contains("no space") == true)
        #expect(try store.value([1]) == [1], "reading goes on")
        #expect(try store.value([2]) == nil)
        store.close()
        let again = try Store(at: directory.path, options: smallOptions)
        #expect(try again.contents() == [[1]: [1]])
        try again.put([9], [9])
    }

    @Test func aFullQueueSaysSo() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        var options = smallOptions
        options.maximumQueuedBytes = 10_000
        options.maximumBatchBytes = 5000
        let store = try Store(at: directory.path, options: options)
        var batch = WriteBatch()
        batch.put(.documents, key: [1], value: [UInt8](repeating: 1, count: 4000))
        #expect(store.enqueue(batch, durability: .os) { _ in } == nil)
        #expect(store.enqueue(batch, durability: .os) { _ in } == nil)
        let refusal = store.enqueue(batch, durability: .os) { _ in }
        #expect(refusal?.code == .overloaded && refusal?.message.contains("10000") == true)
        store.commitPending()
        #expect(store.enqueue(batch, durability: .os) { _ in } == nil)
        batch.put(.documents, key: [2], value: [UInt8](repeating: 1, count: 4000))
        #expect(store.enqueue(batch, durability: .os) { _ in }?.code == .batchTooLarge)
    }

    @Test func closingFinishesWhatWasSubmitted() throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let acknowledged = Collector<UInt8>()
        do {
            let store = try Store(at: directory.path, options: smallOptions)
            for number in 0..<200 as Range<UInt8> {
                var batch = WriteBatch()
                batch.put(.documents, key: [number], value: [number])
                if number % 2 == 0 {
                    store.submit(batch) { if case .success = $0 { acknowledged.add(number) } }
                } else {
                    _ = store.enqueue(batch, durability: .os) { if case .success = $0 { acknowledged.add(number) } }
                }
            }
            store.close()
            store.close()
        }
        #expect(acknowledged.all.sorted() == Array(0..<200))
        #expect(try Store(at: directory.path, options: smallOptions).contents().count == 200)
    }

    @Test func closingWhileOthersReadAndWrite() async throws {
        for _ in 0..<5 {
            let directory = try TemporaryDirectory(inMemory: true)
            let store = try Store(at: directory.path, options: smallOptions)
            let isStopped = Flag()
            let acknowledged = Collector<[UInt8]>()
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<3 as Range<UInt8> {
                    group.addTask {
                        var number: UInt8 = 0
                        while !isStopped.isSet, number < 255 {
                            number += 1
                            let key = [worker, number]
                            if (try? store.put(key, key, durability: .os)) != nil { acknowledged.add(key) }
                            _ = try? store.value(key)
                            if var iterator = try? store.makeIterator(.documents) { _ = try? iterator.advance() }
                        }
                    }
                }
                group.addTask {
                    while acknowledged.count < 50 { await Task.yield() }
                    store.close()
                    isStopped.set()
                }
            }
            let again = try Store(at: directory.path, options: smallOptions)
            let contents = try again.contents()
            #expect(acknowledged.all.allSatisfy { contents[$0] == $0 })
        }
    }

    @Test func theCacheNeverShowsWhatWasReplaced() async throws {
        // Readers that miss, look up and offer race with writers of the same few keys: a value once seen never goes back.
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try Store(at: directory.path, options: smallOptions)
        for key in 0..<8 as Range<UInt8> { try store.put([key], [0, 0], durability: .os) }
        let isDone = Flag()
        let faults = Collector<String>()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    var seen = [Int](repeating: 0, count: 8)
                    while !isDone.isSet {
                        for key in 0..<8 as Range<UInt8> {
                            guard let value = try? store.value([key]) else { continue }
                            let number = Int(value[0]) << 8 | Int(value[1])
                            if number < seen[Int(key)] { faults.add("key \(key): \(seen[Int(key)]) then \(number)") }
                            seen[Int(key)] = number
                        }
                        await Task.yield()
                    }
                }
            }
            group.addTask {
                for round in 1...3000 {
                    let key = UInt8(round % 8)
                    try? store.put([key], [UInt8(round >> 8), UInt8(round & 255)], durability: .os)
                }
                isDone.set()
            }
        }
        #expect(faults.all.isEmpty)
    }
}
