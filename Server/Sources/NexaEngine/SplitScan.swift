import NexaQuery
import NexaStorage
import Synchronization

/// A walk over the documents of a range, as of one moment, by several threads that each have an iterator and a part of
/// their own: who is done with its part gets about half of what is left of another's.
///
/// In which order the documents come is not known; each comes once.
final class SplitScan: Sendable {
    /// How often a thread looks whether others have nothing to do.
    private static let documentsBetweenLooks = 64

    private let snapshot: Snapshot
    private let sharing: ScanSharing
    /// The key of the last document of the range; empty when there is none.
    let last: [UInt8]

    init(_ snapshot: Snapshot, lower: [UInt8], upper: [UInt8]) throws(StorageError) {
        self.snapshot = snapshot
        // Parts are made by halving the distance between keys, so the range ends at the last one that is there.
        var iterator = try snapshot.makeIterator(.documents, lower: lower, upper: upper)
        last = try iterator.retreat() ? iterator.key.withUnsafeBytes { Array($0) } : []
        sharing = ScanSharing(ScanSharing.Part(lower: lower, upper: last.isEmpty ? lower : last + [0]))
    }

    /// Calls `body` with documents that no other thread gets, until there are none left.
    ///
    /// - Parameter pause: called now and then with how many documents came since the last time.
    func walk(
        _ body: (_ key: RawSpan, _ document: RawSpan) throws(EngineError) -> Void,
        pause: (_ count: Int) throws(EngineError) -> Void
    ) throws(EngineError) {
        var hadPart = false
        while case .part(let part) = sharing.next(hadPart: hadPart, waiting: nil) {
            hadPart = true
            do throws(EngineError) {
                try walk(part, body, pause)
            } catch {
                sharing.end()
                sharing.leave()
                throw error
            }
        }
    }

    /// Gives nobody any more, soon.
    func end() { sharing.end() }

    private func walk(
        _ part: ScanSharing.Part, _ body: (_ key: RawSpan, _ document: RawSpan) throws(EngineError) -> Void,
        _ pause: (_ count: Int) throws(EngineError) -> Void
    ) throws(EngineError) {
        var iterator = try Self.translating { () throws(StorageError) in
            try snapshot.makeIterator(.documents, lower: part.lower, upper: part.upper)
        }
        var part = part
        var isCut = false
        var count = 0
        while try Self.advance(&iterator) {
            if isCut, !iterator.key.precedes(part.upper) { break }
            try body(iterator.key, iterator.value)
            count += 1
            guard count == Self.documentsBetweenLooks else { continue }
            try pause(count)
            count = 0
            if sharing.isEnded { return }
            if sharing.isWanted, let other = part.split(behind: iterator.key, number: part.number) {
                sharing.offer(other)
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
}
