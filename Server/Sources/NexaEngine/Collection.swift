import NexaStorage
import Synchronization

/// What keeps the entries of one index: the write path asks it what a document adds to the index.
protocol IndexMaintaining: Sendable {
    /// The entries that a document has in the index.
    ///
    /// - Parameters:
    ///   - document: the encoded document.
    ///   - key: its `DocumentKey`.
    /// - Throws: `.badRequest` for a document that cannot be indexed.
    func entries(of document: RawSpan, key: [UInt8]) throws(EngineError) -> [IndexEntry]
    /// The name, for messages.
    var name: String { get }
}

/// One entry of an index, as it is stored in the family `indexes`.
struct IndexEntry: Hashable, Sendable {
    /// The number of the index in four bytes and the ordered values; in an index that is not unique also the
    /// encoded `_id`. In a vector index the encoded `_id` alone.
    var key: [UInt8]
    /// In a unique index the encoded `_id`, in a vector index the vector, otherwise how many bytes of the key the
    /// `_id` has, in two bytes.
    var value: [UInt8]
    /// Whether another document with this key is refused.
    var isUnique: Bool
}

/// A collection that is in the catalog, or was until it was dropped.
final class Collection: Sendable {
    /// The number that its keys begin with; never used again after a drop.
    let number: UInt32
    let database: String
    let name: String
    /// Both names as a `ChangeNote` holds them.
    let noteNames: [UInt8]
    private let dimensions: Atomic<Int>
    private let dropped = Atomic<Bool>(false)
    private let indexCount = Atomic<Int>(0)
    private let indexList = Monitor<[any IndexMaintaining]>([])

    init(number: UInt32, database: String, name: String, vectorDimensions: Int) {
        self.number = number
        self.database = database
        self.name = name
        noteNames = ChangeNote.names(database, name)
        dimensions = Atomic(vectorDimensions)
    }

    /// The length of its vectors; 0 when none was recorded.
    var vectorDimensions: Int { dimensions.load(ordering: .acquiring) }
    func record(vectorDimensions: Int) { dimensions.store(vectorDimensions, ordering: .releasing) }

    /// The indexes that writes maintain. Changed while all latches are held, so under a latch it does not change.
    var indexes: [any IndexMaintaining] {
        get { indexCount.load(ordering: .acquiring) == 0 ? [] : indexList.withLock { $0 } }
        set {
            indexList.withLock { $0 = newValue }
            indexCount.store(newValue.count, ordering: .releasing)
        }
    }

    /// All indexes.
    var queryIndexes: [Index] { indexes.compactMap { $0 as? Index } }

    /// The vector index of a field.
    func vectorIndex(_ path: String) -> Index? {
        indexes.lazy.compactMap { $0 as? Index }.first { $0.vectors?.path == path && $0.state != .dropped }
    }

    /// Why the building of indexes failed, for whoever asks; forgotten when the server ends.
    let failedBuilds = Monitor<[(definition: IndexDefinition, error: EngineError)]>([])

    /// True once it is dropped. Set while all latches are held, so under a latch it does not change.
    var isDropped: Bool { dropped.load(ordering: .acquiring) }
    func markDropped() {
        dropped.store(true, ordering: .releasing)
        // A query that uses one meanwhile finds neither entries nor documents: they go in one commit.
        for index in queryIndexes {
            index.markDropped()
            index.tellWaiters()
        }
    }
}

/// The collection that somebody used last, so that the next use need not look it up.
public struct CollectionHint: Sendable {
    private var last: Collection?

    /// Creates a hint that knows nothing yet.
    public init() {}

    mutating func find(_ database: String, _ name: String, in catalog: Catalog) -> Collection? {
        if let last, last.name == name, last.database == database, !last.isDropped { return last }
        last = catalog.collection(database, name)
        return last
    }
}
