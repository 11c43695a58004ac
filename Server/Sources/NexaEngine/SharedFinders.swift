import NexaQuery
import NexaStorage
import NexaValue
import Synchronization

/// A scan whose documents are looked at by the thread of the query and by one that helps it: which documents match, and
/// which of those come first in an order.
///
/// Neither waits for the other before the end: each takes documents when it has none. What the order of equal documents
/// depends on goes with them, so the result is the one that one thread has.
final class SharedFinders {
    /// Documents that are looked at before a query is known to take long.
    static let minimumExamined = 4096

    /// What was found in a part of the documents.
    struct Found {
        var examined = 0
        var count = 0
    }

    private let scan: SharedScan
    private let filter: QueryFilter
    private let projection: Projection?
    private let firstNumber: Int
    private var helper: ScanHelper?
    private var part: FinderPart?
    private var batch = ScanBatch()
    private var found = Found()
    private let sorterPart: TopSorter?

    /// - Parameters:
    ///   - iterator: where the scan stands.
    ///   - sorter: keeps the first documents; `nil` to count.
    init(
        _ iterator: consuming StoreIterator, _ filter: QueryFilter, _ sorter: TopSorter?, _ projection: Projection?
    ) {
        scan = SharedScan(iterator)
        self.filter = filter
        self.projection = projection
        firstNumber = sorter?.nextNumber ?? 0
        sorterPart = sorter.map { $0.makePart(maximumBytes: $0.maximumBytes / 2) }
    }

    // A query that ends early needs nothing more; the helper ends behind the documents that it is at.
    deinit { scan.end() }

    /// Lets another thread help, if there is one.
    func start(with helpers: ScanHelpers?) {
        let part = FinderPart(scan, filter, sorterPart, projection, firstNumber)
        helper = helpers?.start { part.run() }
        if helper != nil { self.part = part }
    }

    /// Looks at documents on this thread; true when there are no more.
    func look(_ budget: Int, _ sorter: TopSorter?) throws(EngineError) -> Bool {
        var left = budget
        while left > 0 {
            guard try scan.take(&batch) else { return true }
            left -= batch.count
            try FinderPart.look(at: batch, filter, sorter, projection, firstNumber, isPart: false, &found)
        }
        return false
    }

    /// Waits for the documents that the helper is at; gives what was found by both.
    func finish(_ sorter: TopSorter?) throws(EngineError) -> Found {
        helper?.join()
        guard let part else { return found }
        let theirs = try part.result()
        found.examined += theirs.examined
        found.count += theirs.count
        if let sorterPart { try sorter?.merge(sorterPart) }
        return found
    }
}

/// The part that the helper does.
///
/// `@unchecked Sendable`: `found`, `error` and the sorter are touched by the helper alone until its end, which the other
/// thread waits for before it reads them.
private final class FinderPart: @unchecked Sendable {
    private let scan: SharedScan
    private let filter: QueryFilter
    private let sorter: TopSorter?
    private let projection: Projection?
    private let firstNumber: Int
    private var found = SharedFinders.Found()
    private var error: EngineError?

    init(
        _ scan: SharedScan, _ filter: QueryFilter, _ sorter: TopSorter?, _ projection: Projection?,
        _ firstNumber: Int
    ) {
        self.scan = scan
        self.filter = filter
        self.sorter = sorter
        self.projection = projection
        self.firstNumber = firstNumber
    }

    func run() {
        var batch = ScanBatch()
        do throws(EngineError) {
            while try scan.take(&batch) {
                try Self.look(at: batch, filter, sorter, projection, firstNumber, isPart: true, &found)
                if let sorter, sorter.isOverfull { return }
            }
        } catch {
            self.error = error
            scan.end()
        }
    }

    func result() throws(EngineError) -> SharedFinders.Found {
        if let error { throw error }
        return found
    }

    static func look(
        at batch: ScanBatch, _ filter: QueryFilter, _ sorter: TopSorter?, _ projection: Projection?,
        _ firstNumber: Int, isPart: Bool, _ found: inout SharedFinders.Found
    ) throws(EngineError) {
        let first = firstNumber + batch.number << 20
        try batch.forEach { (index, _, document) throws(EngineError) in
            found.examined += 1
            do throws(QueryError) {
                if !filter.matchesEverything, try !filter.matches(document) { return }
            } catch {
                throw EngineError(error)
            }
            guard let sorter else {
                found.count += 1
                return
            }
            try sorter.add(document, number: first + index, isPart: isPart) { (document) throws(EngineError) in
                guard let projection else { return document.withUnsafeBytes { Array($0) } }
                var writer = MessagePackWriter(capacity: document.byteCount)
                do throws(QueryError) { try projection.apply(document, to: &writer) } catch { throw EngineError(error) }
                return writer.bytes
            }
        }
    }
}
