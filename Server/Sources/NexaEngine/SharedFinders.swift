import NexaQuery
import NexaStorage

/// A scan whose documents are looked at by the thread of the query and by one that helps it: how many match, which of
/// them come first in an order, or their groups.
///
/// What the order of equal documents depends on goes with them, so the result is the one that one thread has.
final class SharedFinders {
    /// Documents that are looked at before a query is known to take long.
    static let minimumExamined = 4096

    private let sharing = ScanSharing()
    private let mine: ScanWalker
    private let theirs: ScanWalker
    private var helper: ScanHelper?

    /// - Parameters:
    ///   - snapshot: of what is scanned.
    ///   - part: filter and purpose of the thread that helps.
    init(
        _ snapshot: Snapshot, _ filter: QueryFilter, _ purpose: ScanPurpose,
        part: (filter: QueryFilter, purpose: ScanPurpose)
    ) {
        mine = ScanWalker(sharing, snapshot, filter, purpose)
        theirs = ScanWalker(sharing, snapshot, part.filter, part.purpose)
    }

    // A query that ends early needs nothing more; the helper ends behind the documents that it is at.
    deinit { sharing.end() }

    /// Goes on where `iterator` stands, and lets another thread help if there is one.
    func start(
        at iterator: consuming StoreIterator, _ part: ScanSharing.Part, with helpers: ScanHelpers?
    ) {
        mine.begin(part, at: iterator)
        let theirs = theirs
        helper = helpers?.start { theirs.run() }
    }

    /// Looks at documents on this thread; true when there are no more.
    func look(_ budget: Int) throws(EngineError) -> Bool { try mine.look(budget) }

    /// Waits for the helper, if it is not at its end; gives what was found by both.
    func finish() throws(EngineError) -> (examined: Int, count: Int) {
        helper?.join()
        try theirs.check()
        try mine.purpose.merge(theirs.purpose)
        return (mine.examined + theirs.examined, mine.count + theirs.count)
    }
}
