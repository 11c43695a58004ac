/// A named, separately ordered key space of the store.
///
/// The raw value is also the family's number in the commit log, so it never changes meaning.
public enum ColumnFamily: UInt8, Sendable, Hashable, CaseIterable {
    /// Databases, collections, users, settings.
    case catalog = 1
    /// Documents by collection and `_id`.
    case documents = 2
    /// Index entries by index, values and `_id`.
    case indexes = 3

    /// The name under which RocksDB knows the family.
    public var name: String {
        switch self {
        case .catalog: "catalog"
        case .documents: "documents"
        case .indexes: "indexes"
        }
    }
}
