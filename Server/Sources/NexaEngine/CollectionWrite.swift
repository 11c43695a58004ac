public import NexaValue

/// One write to a collection: what it means and what happens to that.
public struct CollectionWrite: Sendable {
    /// Which documents are meant.
    public enum Target: Sendable {
        /// The document with this `_id`; a text of decimal digits also names the integer.
        case id(Value)
        /// Those that fulfil an encoded filter.
        case filter([UInt8])
    }

    /// What happens.
    public enum Action: Sendable {
        /// An encoded document is inserted; there is no target.
        case insert([UInt8])
        /// Encoded update operators are applied.
        case update([UInt8])
        /// The document gives way to an encoded one; `_id` and `_created_at` stay.
        case replace([UInt8])
        /// The document is deleted.
        case delete

        /// The size of what is sent.
        var byteCount: Int {
            switch self {
            case .insert(let bytes), .update(let bytes), .replace(let bytes): bytes.count
            case .delete: 0
            }
        }
    }

    /// Which state of the changed document is returned.
    public enum Returned: Sendable {
        case before, after
    }

    /// Which documents are meant.
    public var target: Target
    /// What happens to them.
    public var action: Action
    /// All documents that the target means, and not only one.
    public var isMany = false
    /// When nothing is found, a document is inserted: what the filter demands, with the update applied.
    public var isUpsert = false
    /// The conditions of `$[name]`: an encoded array of filters, or nothing.
    public var arrayFilters: [UInt8] = []
    /// Which document is the first one; `.null` for any. Not with `isMany`.
    public var sort = Value.null
    /// Which state of the document is wanted; `nil` for none. Not with `isMany`.
    public var returned: Returned?
    /// Which fields of that are wanted.
    public var projection: Document = [:]

    /// Creates a write to the first document that is meant.
    public init(_ target: Target, _ action: Action) {
        self.target = target
        self.action = action
    }

    /// Creates an insert of an encoded document.
    public static func insert(_ document: [UInt8]) -> CollectionWrite {
        CollectionWrite(.filter([]), .insert(document))
    }
}

/// What a write did.
public struct WriteResult: Sendable, Hashable {
    /// Documents that were found.
    public var matched = 0
    /// Documents that are different now.
    public var modified = 0
    /// Documents that are gone.
    public var deleted = 0
    /// The `_id` of the document that was inserted, by an insert or an upsert.
    public var insertedID: Value?
    /// The document that was asked for, encoded; `nil` when there is none.
    public var document: [UInt8]?

    /// Creates the result of having done nothing.
    public init() {}
}

/// What became of one write.
public enum WriteOutcome: Sendable, Hashable {
    case done(WriteResult)
    case failed(EngineError)
    /// An earlier write failed, and the order counts.
    case skipped
}

/// How several writes belong together.
public struct WriteSetOptions: Sendable {
    /// The writes behind one that fails are not made.
    public var isOrdered = true
    /// All of the writes are made, as one commit, or none.
    public var isAtomic = false
    /// How safe each commit must be before the writes are answered.
    public var durability = Durability.sync
    /// The transaction that the writes belong to.
    public var transaction: Transaction?

    /// Creates the defaults.
    public init() {}
}
