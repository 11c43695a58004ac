import NexaQuery
import NexaStorage
import Synchronization

/// A walk over the documents of a range, as of one moment, by several threads that each have an iterator and a part of
/// their own: who is done with its part gets about half of what is left of another's.
///
/// In which order the documents come is not known; each comes once.
final class SplitScan: Sendable {
    private struct Part: Sendable {
        var lower: [UInt8]
        var upper: [UInt8]
    }

    private struct State {
        /// What waits for a thread.
        var offered: [Part] = []
        /// Threads that have a part.
        var walking = 0
        /// Threads that want one.
        var waiting = 0
        var isEnded = false
    }

    /// How often a thread looks whether others have nothing to do.
    private static let documentsBetweenLooks = 64

    private let snapshot: Snapshot
    private let state: Monitor<State>
    /// More threads want a part than there are parts.
    private let isWanted = Atomic<Bool>(false)
    private let isEnded = Atomic<Bool>(false)
    /// The key of the last document of the range; empty when there is none.
    let last: [UInt8]

    init(_ snapshot: Snapshot, lower: [UInt8], upper: [UInt8]) throws(StorageError) {
        self.snapshot = snapshot
        // Parts are made by halving the distance between keys, so the range ends at the last one that is there.
        var iterator = try snapshot.makeIterator(.documents, lower: lower, upper: upper)
        last = try iterator.retreat() ? iterator.key.withUnsafeBytes { Array($0) } : []
        state = Monitor(State(offered: last.isEmpty ? [] : [Part(lower: lower, upper: last + [0])]))
    }

    /// Calls `body` with documents that no other thread gets, until there are none left.
    ///
    /// - Parameter pause: called now and then with how many documents came since the last time.
    func walk(
        _ body: (_ key: RawSpan, _ document: RawSpan) throws(EngineError) -> Void,
        pause: (_ count: Int) throws(EngineError) -> Void
    ) throws(EngineError) {
        var isWalking = false
        while let part = next(isWalking) {
            isWalking = true
            do throws(EngineError) {
                try walk(part, body, pause)
            } catch {
                end()
                _ = next(true)
                throw error
            }
        }
    }

    /// Gives nobody any more, soon.
    func end() {
        isEnded.store(true, ordering: .relaxed)
        state.withLock { $0.isEnded = true }
        state.wakeAll()
    }

    private func walk(
        _ part: Part, _ body: (_ key: RawSpan, _ document: RawSpan) throws(EngineError) -> Void,
        _ pause: (_ count: Int) throws(EngineError) -> Void
    ) throws(EngineError) {
        var iterator = try Self.translating { () throws(StorageError) in
            try snapshot.makeIterator(.documents, lower: part.lower, upper: part.upper)
        }
        var upper = part.upper
        var isCut = false
        var count = 0
        while try Self.advance(&iterator) {
            if isCut, !iterator.key.precedes(upper.span.bytes) { break }
            try body(iterator.key, iterator.value)
            count += 1
            guard count == Self.documentsBetweenLooks else { continue }
            try pause(count)
            count = 0
            if isEnded.load(ordering: .relaxed) { return }
            if isWanted.load(ordering: .relaxed), let middle = Self.middle(iterator.key, upper.span.bytes) {
                offer(Part(lower: middle, upper: upper))
                upper = middle
                isCut = true
            }
        }
        if count > 0 { try pause(count) }
    }

    private static func advance(_ iterator: inout StoreIterator) throws(EngineError) -> Bool {
        do throws(StorageError) { return try iterator.advance() } catch { throw EngineError(error) }
    }

    private static func translating(
        _ body: () throws(StorageError) -> StoreIterator
    ) throws(EngineError) -> StoreIterator {
        do throws(StorageError) { return try body() } catch { throw EngineError(error) }
    }

    /// A key about half way from one to a higher one, by the eight bytes behind what they begin with both; `nil` when they
    /// are too close. How many documents lie on either side shows when they are walked.
    static func middle(_ low: RawSpan, _ high: RawSpan) -> [UInt8]? {
        low.withUnsafeBytes { low in
            high.withUnsafeBytes { high -> [UInt8]? in
                var common = 0
                while common < min(low.count, high.count), low[common] == high[common] { common += 1 }
                let (one, other) = (word(low, from: common), word(high, from: common))
                guard one < other, other - one > 1 else { return nil }
                let middle = one + (other - one) / 2
                return Array(low[..<common]) + withUnsafeBytes(of: middle.bigEndian) { Array($0) }
            }
        }
    }

    /// Eight bytes as a number, as they compare.
    private static func word(_ bytes: UnsafeRawBufferPointer, from start: Int) -> UInt64 {
        var word: UInt64 = 0
        for offset in start..<(start + 8) { word = word << 8 | (offset < bytes.count ? UInt64(bytes[offset]) : 0) }
        return word
    }

    // MARK: Parts

    private func offer(_ part: Part) {
        state.withLock { state in
            state.offered.append(part)
            isWanted.store(state.waiting > state.offered.count, ordering: .relaxed)
        }
        state.wakeAll()
    }

    /// Waits for a part; `nil` when there is none any more.
    private func next(_ wasWalking: Bool) -> Part? {
        let isLast = state.withLock { state in
            if wasWalking { state.walking -= 1 }
            state.waiting += 1
            isWanted.store(state.waiting > state.offered.count, ordering: .relaxed)
            return state.walking == 0
        }
        if isLast { state.wakeAll() }
        return state.wait(until: { !$0.offered.isEmpty || $0.walking == 0 || $0.isEnded }, deadline: { _ in nil }) {
            state in
            state.waiting -= 1
            defer { isWanted.store(state.waiting > state.offered.count, ordering: .relaxed) }
            guard !state.isEnded, let part = state.offered.popLast() else { return nil }
            state.walking += 1
            return part
        }
    }
}
