import Synchronization

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

    /// True once it is dropped. Set while all latches are held, so under a latch it does not change.
    var isDropped: Bool { dropped.load(ordering: .acquiring) }
    func markDropped() { dropped.store(true, ordering: .releasing) }
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
