import Glibc
import NexaStorage
import Synchronization

/// Some keys and values of a scan, copied, so that a thread can look at them while another moves the scan on.
struct ScanBatch {
    private struct Item {
        var value: Int
        var end: Int
    }

    /// Bytes after which a batch is complete; it has fewer than 2^20 documents then.
    private static let bytes = 64 << 10

    private var buffer: [UInt8] = []
    private var items: [Item] = []
    /// The place of the batch in the scan.
    fileprivate(set) var number = 0

    var count: Int { items.count }
    fileprivate var isFull: Bool { buffer.count >= Self.bytes }

    fileprivate mutating func removeAll() {
        // One large document must not be remembered for ever.
        buffer.removeAll(keepingCapacity: buffer.count < 4 * Self.bytes)
        items.removeAll(keepingCapacity: true)
    }

    fileprivate mutating func append(_ key: RawSpan, _ value: RawSpan) {
        key.withUnsafeBytes { buffer.append(contentsOf: $0) }
        let middle = buffer.count
        value.withUnsafeBytes { buffer.append(contentsOf: $0) }
        items.append(Item(value: middle, end: buffer.count))
    }

    fileprivate var lastKey: [UInt8] {
        guard let last = items.last else { return [] }
        return Array(buffer[(items.count > 1 ? items[items.count - 2].end : 0)..<last.value])
    }

    /// Passes the items in their order, each with its place in the batch.
    func forEach(_ body: (_ index: Int, _ key: RawSpan, _ value: RawSpan) throws(EngineError) -> Void)
        throws(EngineError)
    {
        let bytes = buffer.span.bytes
        var start = 0
        for (index, item) in items.enumerated() {
            try body(index, bytes.extracting(start..<item.value), bytes.extracting(item.value..<item.end))
            start = item.end
        }
    }
}

/// A walk over a range that several threads share: whoever has nothing to do takes the next documents, and looks at
/// them on its own.
///
/// `@unchecked Sendable`: what is here is only touched between lock and unlock of `mutex`.
final class SharedScan: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var iterator: StoreIterator?
    private var taken = 0
    private var isAtEnd = false
    /// The key of the last document that somebody took.
    private var last: [UInt8] = []

    init(_ iterator: consuming StoreIterator) {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        self.iterator = consume iterator
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Takes the next documents; false when there are none.
    func take(_ batch: inout ScanBatch) throws(EngineError) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        defer { if batch.count > 0 { last = batch.lastKey } }
        batch.removeAll()
        guard var iterator = iterator.take() else { return false }
        batch.number = taken
        taken += 1
        do throws(StorageError) {
            while !batch.isFull {
                guard try iterator.advance() else {
                    // The iterator goes.
                    isAtEnd = true
                    return batch.count > 0
                }
                batch.append(iterator.key, iterator.value)
            }
        } catch {
            throw EngineError(error)
        }
        self.iterator = consume iterator
        return true
    }

    /// Gives nobody any more.
    func end() {
        pthread_mutex_lock(mutex)
        iterator = nil
        pthread_mutex_unlock(mutex)
    }

    /// The key of the last document that was given, and whether there is none behind it.
    var position: (last: [UInt8], isAtEnd: Bool) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return (last, isAtEnd)
    }
}

/// How many threads may help those that work on long scans: one for each processor but the first, at most seven in all.
/// Who finds none left works alone.
final class ScanHelpers: Sendable {
    private let free: Atomic<Int>

    init(processors: Int = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) {
        free = Atomic(max(0, min(processors - 1, 7)))
    }

    /// Whether there is a thread to be had, most likely.
    var hasFree: Bool { free.load(ordering: .relaxed) > 0 }

    /// Begins `work` on a thread of its own, unless there is none left.
    func start(_ work: @escaping @Sendable () -> Void) -> ScanHelper? {
        guard free.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue >= 0 else {
            free.wrappingAdd(1, ordering: .acquiringAndReleasing)
            return nil
        }
        let thread = try? WorkerThread(name: "nexa-scan") { [self] in
            work()
            free.wrappingAdd(1, ordering: .acquiringAndReleasing)
        }
        guard let thread else {
            free.wrappingAdd(1, ordering: .acquiringAndReleasing)
            return nil
        }
        return ScanHelper(thread)
    }
}

/// A thread that helps with a scan.
final class ScanHelper: Sendable {
    private let thread: Monitor<WorkerThread?>

    fileprivate init(_ thread: WorkerThread) { self.thread = Monitor(thread) }

    deinit { join() }

    /// Waits until it has done its part.
    func join() {
        thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }?.join()
    }
}
