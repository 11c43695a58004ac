import NexaStorage
import Synchronization

/// A range of keys that several threads walk, each a part of it with an iterator of its own.
///
/// Nobody knows beforehand where the middle of a range is. So one thread begins with all of it, and whoever has nothing
/// to do says so; a thread that walks then gives away the upper half of the keys that it has left. A half that turns out
/// to be empty is paid with one seek, and the next one asked for.
final class ScanSharing: Sendable {
    /// Keys `lower ..< upper`, and the numbers that their documents get: rising with the keys over all parts.
    struct Part: Sendable, Equatable {
        var lower: [UInt8]
        var upper: [UInt8]
        var number: UInt64 = 0
        var endNumber: UInt64 = 1 << 62

        /// Numbers that a part needs at least: no range has as many documents.
        private static let leastNumbers: UInt64 = 1 << 40

        /// Gives away the upper half of the keys behind `key`, if there is a key between.
        ///
        /// - Parameter number: of the next document of this part.
        mutating func split(behind key: RawSpan, number: UInt64) -> Part? {
            let room = endNumber - number
            guard room >= 2 * Self.leastNumbers, let middle = Self.middle(key, upper.span.bytes) else { return nil }
            let part = Part(lower: middle, upper: upper, number: number + room / 2, endNumber: endNumber)
            upper = middle
            endNumber = part.number
            return part
        }

        /// A key between two, in the middle of those that share their beginning; `nil` when they are too close.
        static func middle(_ low: RawSpan, _ high: RawSpan) -> [UInt8]? {
            var shared = 0
            let shorter = min(low.byteCount, high.byteCount)
            while shared < shorter, byte(low, shared) == byte(high, shared) { shared += 1 }
            var one: UInt64 = 0
            var two: UInt64 = 0
            for index in shared..<shared + 8 {
                one = one << 8 | UInt64(byte(low, index))
                two = two << 8 | UInt64(byte(high, index))
            }
            guard two > one, two - one >= 2 else { return nil }
            let middle = one + (two - one) / 2
            var key = low.extracting(0..<shared).withUnsafeBytes { Array($0) }
            withUnsafeBytes(of: middle.bigEndian) { key.append(contentsOf: $0) }
            return key
        }

        private static func byte(_ key: RawSpan, _ index: Int) -> UInt8 {
            index < key.byteCount ? key.unsafeLoad(fromByteOffset: index, as: UInt8.self) : 0
        }
    }

    /// What a thread that has finished its part gets.
    enum Next {
        case part(Part)
        /// Nothing now; others are still walking.
        case later
        /// Everything was walked, or the walk was ended.
        case end
    }

    private struct State {
        var offered: [Part] = []
        /// Threads that walk a part.
        var walking = 0
        /// Threads that wait for one.
        var waiting = 0
    }

    private let state: Monitor<State>
    private let wanted = Atomic<Int>(0)
    private let ended = Atomic<Bool>(false)

    /// - Parameter first: what is walked; `nil` when one thread walks it already.
    init(_ first: Part? = nil) {
        var state = State()
        if let first { state.offered = [first] } else { state.walking = 1 }
        self.state = Monitor(state)
    }

    /// Whether a thread waits for a part, most likely.
    var isWanted: Bool { wanted.load(ordering: .relaxed) > 0 }
    /// Whether the walk was ended before everything was walked.
    var isEnded: Bool { ended.load(ordering: .relaxed) }

    /// Gives a part to whoever waits.
    func offer(_ part: Part) {
        state.withLock { state in
            state.offered.append(part)
            note(state)
        }
        state.wakeAll()
    }

    /// This thread walks no more.
    func leave() {
        state.withLock { $0.walking -= 1 }
        state.wakeAll()
    }

    /// Waits for a part.
    ///
    /// - Parameters:
    ///   - hadPart: whether the thread has just come to the end of one.
    ///   - milliseconds: how long to wait; `nil` is to the end.
    func next(hadPart: Bool, waiting milliseconds: Int?) -> Next {
        state.withLock { state in
            if hadPart { state.walking -= 1 }
            state.waiting += 1
            note(state)
        }
        if hadPart { state.wakeAll() }
        return state.wait(
            until: { !$0.offered.isEmpty || $0.walking == 0 || isEnded }, deadline: { _ in milliseconds }
        ) { state in
            state.waiting -= 1
            defer { note(state) }
            if isEnded { return .end }
            if let part = state.offered.popLast() {
                state.walking += 1
                return .part(part)
            }
            return state.walking == 0 ? .end : .later
        }
    }

    private func note(_ state: State) {
        wanted.store(state.waiting - state.offered.count, ordering: .relaxed)
    }

    /// Lets all threads end soon.
    func end() {
        state.withLock { _ in ended.store(true, ordering: .relaxed) }
        state.wakeAll()
    }
}
