import NexaStorage
import NexaValue

/// How a write is made.
struct WriteOptions {
    var durability = Durability.sync
    /// The write is only queued; the caller calls `flushPending` soon.
    var isDeferred = false
    /// The transaction that the write belongs to; its writes are kept until it is committed.
    var transaction: Transaction?
}

/// What a commit does to one document.
struct DocumentChange {
    /// Its `DocumentKey`.
    var key: [UInt8]
    /// `.insert`, `.update` or `.delete`, for the change history.
    var kind: ChangeKind
    /// The document as it was; `nil` when there was none.
    var old: [UInt8]?
    /// The document as it will be; `nil` when it is deleted.
    var new: [UInt8]?
    /// What the change history tells of an update: the fields that were sent, as an encoded map.
    var fields: [UInt8] = []
    /// False when it is known that the new document has no field `vector`.
    var mayHaveVector = true
}

/// Changes of one collection, in their order.
struct CollectionChanges {
    var collection: Collection
    var changes: [DocumentChange]
}

/// Whether a write got into the queue.
enum WriteAttempt {
    case queued
    /// There was nothing to do; the completion has to be called by whoever sees this.
    case unchanged
    /// The collection was dropped in between: once more, with the one that takes its place.
    case dropped
}

/// The bytes of one commit: the documents with their notes first, then the index entries.
struct CommitContents {
    private(set) var batch: WriteBatch
    /// What becomes the value of which latched key: documents, and the owners of unique entries.
    private(set) var noted: [(key: [UInt8], value: [UInt8]?)] = []

    /// The key under which the latches know a unique entry. No document's key begins with this byte, since that would
    /// take four thousand million collections.
    static func latchKey(_ entry: [UInt8]) -> [UInt8] { [0xFF] + entry }

    init(capacity: Int) { batch = WriteBatch(capacity: capacity) }

    mutating func remove(_ entry: IndexEntry) {
        batch.delete(.indexes, key: entry.key)
        if entry.isUnique { noted.append((Self.latchKey(entry.key), nil)) }
    }

    mutating func add(_ entry: IndexEntry) {
        batch.put(.indexes, key: entry.key, value: entry.value)
        if entry.isUnique { noted.append((Self.latchKey(entry.key), entry.value)) }
    }

    mutating func add(_ changes: CollectionChanges) {
        var last: ChangeKind?
        for change in changes.changes {
            // One note tells of all that follow, so only what was sent for an update needs its own.
            if change.kind != last || !change.fields.isEmpty || change.kind == .update {
                batch.note(change.kind, in: changes.collection, updates: change.fields)
                last = change.kind
            }
            if let new = change.new {
                batch.put(.documents, key: change.key, value: new)
            } else {
                batch.delete(.documents, key: change.key)
            }
            noted.append((change.key, change.new))
        }
    }
}
