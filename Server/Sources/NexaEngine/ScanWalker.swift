import NexaQuery
import NexaStorage
import NexaValue

/// What the documents of a shared scan are for. Each thread has one of its own, and one takes in the other at the end.
enum ScanPurpose {
    /// How many there are.
    case count
    /// Those that come first in an order.
    case sort(TopSorter, Projection?, isPart: Bool)
    /// Groups of them.
    case group(GroupStage)

    func take(_ document: RawSpan, number: UInt64) throws(EngineError) {
        switch self {
        case .count: break
        case .sort(let sorter, let projection, let isPart):
            try sorter.add(document, number: number, isPart: isPart) { (document) throws(EngineError) in
                guard let projection else { return document.withUnsafeBytes { Array($0) } }
                var writer = MessagePackWriter(capacity: document.byteCount)
                do throws(QueryError) { try projection.apply(document, to: &writer) } catch { throw EngineError(error) }
                return writer.bytes
            }
        case .group(let stage): try stage.push(encoded: document, number: number)
        }
    }

    /// Whether it keeps more than a part should, which goes on elsewhere then.
    var isOverfull: Bool {
        switch self {
        case .count: false
        case .sort(let sorter, _, let isPart): isPart && sorter.isOverfull
        case .group(let stage): stage.isOverfullPart
        }
    }

    /// Takes what another thread has.
    func merge(_ part: ScanPurpose) throws(EngineError) {
        switch (self, part) {
        case (.sort(let sorter, _, _), .sort(let other, _, _)): try sorter.merge(other)
        case (.group(let stage), .group(let other)): try stage.merge(other)
        default: break
        }
    }
}

/// One thread's walk over parts of a shared scan.
///
/// `@unchecked Sendable`: it is used by one thread; another waits for that thread's end before it asks what was found.
final class ScanWalker: @unchecked Sendable {
    /// Documents between two looks at what others want: less than a tenth of a millisecond.
    private static let stride = 128

    private let sharing: ScanSharing
    private let snapshot: Snapshot
    private let filter: QueryFilter
    let purpose: ScanPurpose
    private var part: ScanSharing.Part?
    private var iterator: StoreIterator?
    /// The part ends before the iterator does.
    private var isCut = false
    private var error: EngineError?
    private(set) var examined = 0
    /// Documents that fulfil the filter.
    private(set) var count = 0

    init(_ sharing: ScanSharing, _ snapshot: Snapshot, _ filter: QueryFilter, _ purpose: ScanPurpose) {
        self.sharing = sharing
        self.snapshot = snapshot
        self.filter = filter
        self.purpose = purpose
    }

    /// Goes on where another walk stands.
    func begin(_ part: ScanSharing.Part, at iterator: consuming StoreIterator) {
        self.part = part
        self.iterator = consume iterator
        isCut = true
    }

    /// Walks parts until there are none.
    func run() {
        do throws(EngineError) {
            var hadPart = false
            while true {
                guard case .part(let part) = sharing.next(hadPart: hadPart, waiting: nil) else { return }
                try begin(part)
                hadPart = true
                var budget = Int.max
                while try !walk(&budget) {
                    guard purpose.isOverfull, var rest = self.part else { continue }
                    // Whoever can keep more does the rest.
                    rest.lower = keyBehind
                    sharing.offer(rest)
                    iterator = nil
                    return sharing.leave()
                }
            }
        } catch {
            self.error = error
            sharing.end()
        }
    }

    /// Walks up to `budget` documents; true when there are no more.
    func look(_ budget: Int) throws(EngineError) -> Bool {
        var budget = budget
        while budget > 0 {
            let hadPart = part != nil
            if hadPart, try !walk(&budget) { continue }
            // Not for long: the query may be cancelled.
            switch sharing.next(hadPart: hadPart, waiting: 10) {
            case .part(let part): try begin(part)
            case .later: return false
            case .end: return true
            }
        }
        return false
    }

    /// What failed on the way.
    func check() throws(EngineError) {
        if let error { throw error }
    }

    private func begin(_ part: ScanSharing.Part) throws(EngineError) {
        do throws(StorageError) {
            iterator = try snapshot.makeIterator(.documents, lower: part.lower, upper: part.upper)
        } catch {
            throw EngineError(error)
        }
        self.part = part
        isCut = false
    }

    /// The least key behind the document at hand.
    private var keyBehind: [UInt8] = []

    /// Walks some documents of the part; true at its end.
    private func walk(_ budget: inout Int) throws(EngineError) -> Bool {
        // Taken out while they are used, so that nobody else can move them.
        guard var iterator = iterator.take(), var part = part.take() else { return true }
        if sharing.isEnded { return true }
        let stride = min(budget, Self.stride)
        budget -= stride
        var seen = 0
        var found = 0
        defer {
            examined += seen
            count += found
        }
        while seen < stride {
            do throws(StorageError) {
                guard try iterator.advance() else { return true }
            } catch {
                throw EngineError(error)
            }
            if isCut, !iterator.key.precedes(part.upper) { return true }
            seen += 1
            part.number += 1
            let document = iterator.value
            do throws(QueryError) {
                if !filter.matchesEverything, try !filter.matches(document) { continue }
            } catch {
                throw EngineError(error)
            }
            found += 1
            try purpose.take(document, number: part.number)
        }
        if sharing.isWanted, let other = part.split(behind: iterator.key, number: part.number) {
            isCut = true
            sharing.offer(other)
        }
        if purpose.isOverfull { keyBehind = iterator.key.withUnsafeBytes { Array($0) } + [0] }
        self.iterator = consume iterator
        self.part = part
        return false
    }
}
