import NexaQuery
import NexaStorage
import NexaValue

/// Deletes documents whose time is over, by indexes with `expireAfterSeconds`, on a thread of its own that exists while
/// there are such indexes.
///
/// The time is a timestamp, or a text in RFC 3339 in UTC with a `Z`, such as `_created_at`; of an array the
/// earliest counts. Other values never expire. Deletions are ordinary ones: indexes and change events follow.
final class ExpirySweeper: Sendable {
    private struct State {
        var thread: WorkerThread?
        var isRunning = false
        var isWoken = false
        var isClosing = false
    }

    private static let batchDocuments = 500

    private let interval: Duration
    private let state = Monitor(State())

    init(interval: Duration) { self.interval = interval }

    /// Looks whether there is something to do, now and from time to time. The engine is not kept alive.
    func start(_ engine: Engine) {
        guard !engine.expiringIndexes.isEmpty else { return }
        let finished = state.withLock { (state) -> WorkerThread? in
            guard !state.isClosing else { return nil }
            state.isWoken = true
            guard !state.isRunning else { return nil }
            let old = state.thread
            state.thread = try? WorkerThread(name: "nexa-expire") { [self, weak engine] in
                while let strong = engine, sweep(strong) { wait() }
            }
            state.isRunning = state.thread != nil
            return old
        }
        finished?.join()
        state.wakeAll()
    }

    func shutDown() {
        let thread = state.withLock { state in
            state.isClosing = true
            let thread = state.thread
            state.thread = nil
            return thread
        }
        state.wakeAll()
        thread?.join()
    }

    private var isClosing: Bool { state.withLock { $0.isClosing } }

    private func wait() {
        let (seconds, attoseconds) = interval.components
        let milliseconds = max(1, Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
        state.wait(until: { $0.isWoken || $0.isClosing }, deadline: { _ in milliseconds }, then: { $0.isWoken = false })
    }

    /// One round over all indexes; false when the thread has nothing more to do.
    private func sweep(_ engine: Engine) -> Bool {
        let indexes = engine.expiringIndexes
        let goesOn = state.withLock { state in
            guard indexes.isEmpty || state.isClosing else { return true }
            state.isRunning = false
            return false
        }
        guard goesOn else { return false }
        for (index, collection) in indexes where index.state == .ready {
            do throws(EngineError) {
                try sweep(index, collection, engine)
            } catch {
                if error.code == .shuttingDown { continue }
                engine.onNotice(
                    EngineNotice(
                        isWarning: true,
                        message: "Expired documents of '\(collection.name)' could not be deleted: \(error)"))
            }
        }
        return true
    }

    private func sweep(_ index: Index, _ collection: Collection, _ engine: Engine) throws(EngineError) {
        let expiry = Expiry(index, now: WallClock.now().seconds)
        for range in expiry.ranges {
            var lower = range.lower
            while !isClosing {
                let found = try expired(index, collection, lower, range.upper, engine)
                guard let last = found.last else { break }
                try delete(found.documents, expiry, collection, engine)
                lower = last + [0]
            }
        }
    }

    /// The keys of some documents with entries in a range, and the last of the entries.
    private func expired(
        _ index: Index, _ collection: Collection, _ lower: [UInt8], _ upper: [UInt8], _ engine: Engine
    ) throws(EngineError) -> (documents: [[UInt8]], last: [UInt8]?) {
        do throws(StorageError) {
            var documents: [[UInt8]] = []
            var last: [UInt8]?
            var iterator = try engine.store.makeIterator(.indexes, lower: lower, upper: upper)
            var key = DocumentKey.prefix(collection.number)
            while documents.count < Self.batchDocuments, try iterator.advance() {
                last = iterator.key.withUnsafeBytes { Array($0) }
                guard index.read(key: iterator.key, value: iterator.value, to: &key) != nil else { continue }
                documents.append(key)
            }
            return (documents, last)
        } catch {
            throw EngineError(error)
        }
    }

    private func delete(
        _ keys: [[UInt8]], _ expiry: Expiry, _ collection: Collection, _ engine: Engine
    ) throws(EngineError) {
        // A document with several times in an array comes several times.
        let keys = Array(Set(keys))
        let outcome = CommitWait()
        let attempt = try engine.commit(in: collection, keys: keys, options: WriteOptions(durability: .os)) {
            (values) throws(EngineError) in
            var changes: [DocumentChange] = []
            for (key, value) in zip(keys, values) {
                // It may have been changed since the index was read.
                guard let value, expiry.holds(for: value) else { continue }
                changes.append(DocumentChange(key: key, kind: .delete, old: value, new: nil))
            }
            return changes
        } completion: {
            outcome.finish($0)
        }
        guard case .queued = attempt else { return }
        engine.store.commitPending()
        try outcome.wait()
    }
}

/// Which documents of an index are over.
private struct Expiry {
    let index: Index
    let ranges: [(lower: [UInt8], upper: [UInt8])]
    private let isDescending: Bool

    init(_ index: Index, now: Int) {
        self.index = index
        isDescending = index.definition.keys[0].isDescending
        let limit = now - (index.definition.expireAfterSeconds ?? Int(Int32.max))
        var time: [UInt8] = []
        OrderedEncoding.append(.timestamp(Timestamp(seconds: Int64(limit))), to: &time)
        // Texts before the whole second; the year begins with a digit.
        let text = [0x20] + WallClock.format(seconds: limit, microseconds: 0).prefix(19)
        let intervals = [KeyInterval.between([0x70], time.prefixEnd), KeyInterval.between([0x20, 0x30], text)]
        ranges = intervals.map { interval in
            let stored = interval.stored(isDescending: index.definition.keys[0].isDescending)
            return (index.prefix + stored.lower, index.prefix + stored.upper)
        }
    }

    func holds(for document: [UInt8]) -> Bool {
        guard let keys = try? index.keys(of: document.span.bytes).keys else { return false }
        return keys.contains { key in
            ranges.contains {
                !key.span.bytes.precedes($0.lower.span.bytes) && key.span.bytes.precedes($0.upper.span.bytes)
            }
                && isTime(key.dropFirst(index.prefix.count).map { isDescending ? ~$0 : $0 })
        }
    }

    /// Whether a key is of a timestamp, or of a text such as `2026-11-21T02:00:55.123456Z`.
    private func isTime(_ key: [UInt8]) -> Bool {
        guard key.first == 0x20 else { return key.first == 0x70 }
        let text = key.dropFirst().dropLast(2)
        guard text.count >= 20, text.last == UInt8(ascii: "Z") else { return false }
        for (byte, form) in zip(text, "0000-00-00T00:00:00".utf8) {
            let isRight = form == UInt8(ascii: "0") ? (0x30...0x39).contains(byte) : byte == form
            guard isRight else { return false }
        }
        let fraction = text.dropFirst(19).dropLast()
        return fraction.isEmpty
            || (fraction.first == UInt8(ascii: ".") && fraction.count > 1
                && fraction.dropFirst().allSatisfy { (0x30...0x39).contains($0) })
    }
}

extension Engine {
    /// The indexes by which documents expire.
    var expiringIndexes: [(index: Index, collection: Collection)] {
        catalog.collections.flatMap { collection in
            collection.queryIndexes.filter { $0.definition.expireAfterSeconds != nil && $0.state != .dropped }
                .map { ($0, collection) }
        }
    }
}
