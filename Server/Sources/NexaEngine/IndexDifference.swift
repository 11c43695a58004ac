import NexaStorage
import NexaValue

/// What a commit does to the entries of indexes.
struct IndexDifference {
    private(set) var removed: [IndexEntry] = []
    private(set) var added: [IndexEntry] = []
    /// What becomes of the vectors in memory.
    private(set) var vectors: [VectorChange] = []
    /// What belongs to indexes that are being built: places in `removed` and `added`.
    private var building: [(index: Index, removed: Range<Int>, added: Range<Int>)] = []
    /// The name of the index of an added unique entry, for messages.
    private(set) var names: [[UInt8]: String] = [:]

    /// Compares documents as they were before the first and are after the last change of each.
    init(_ changes: [CollectionChanges]) throws(EngineError) {
        for group in changes {
            let indexes = group.collection.indexes
            guard !indexes.isEmpty else { continue }
            for (key, old, new) in Self.net(group.changes) {
                for index in indexes {
                    // A document that cannot be indexed has no entries: it was there before the index, whose building
                    // will end when it comes to it. It can still be changed and deleted.
                    let before = old.flatMap { try? index.entries(of: $0.span.bytes, key: key) }
                    let after = try new.map { (new) throws(EngineError) in
                        try index.entries(of: new.span.bytes, key: key)
                    }
                    if let field = (index as? Index)?.vectors {
                        add(field, before?.first, after?.first)
                    } else {
                        let start = (removed.count, added.count)
                        add(index.name, before ?? [], after ?? [])
                        if let index = index as? Index, index.state == .building {
                            building.append((index, start.0..<removed.count, start.1..<added.count))
                        }
                    }
                }
            }
        }
    }

    var isEmpty: Bool { removed.isEmpty && added.isEmpty }

    /// Tells those who build indexes, once the commit is queued.
    func noteQueued() {
        for part in building { part.index.removals.note(removed: removed[part.removed], added: added[part.added]) }
    }

    private mutating func add(_ name: String, _ before: [IndexEntry], _ after: [IndexEntry]) {
        if before == after { return }
        if before.count <= 4, after.count <= 4 {
            removed += before.filter { !after.contains($0) }
            note(name, after.filter { !before.contains($0) })
        } else {
            let old = Set(before)
            let new = Set(after)
            removed += before.filter { !new.contains($0) }
            note(name, after.filter { !old.contains($0) })
        }
    }

    private mutating func add(_ field: VectorField, _ before: IndexEntry?, _ after: IndexEntry?) {
        if before == after { return }
        if let after {
            added.append(after)
        } else if let before {
            removed.append(before)
        }
        guard let key = after?.key ?? before?.key else { return }
        vectors.append(VectorChange(field: field, key: key, packed: after?.value))
    }

    private mutating func note(_ name: String, _ entries: [IndexEntry]) {
        added += entries
        for entry in entries where entry.isUnique { names[entry.key] = name }
    }

    /// The first old and the last new value of each key.
    private static func net(_ changes: [DocumentChange]) -> [(key: [UInt8], old: [UInt8]?, new: [UInt8]?)] {
        guard changes.count > 1 else { return changes.map { ($0.key, $0.old, $0.new) } }
        var positions: [[UInt8]: Int] = [:]
        var net: [(key: [UInt8], old: [UInt8]?, new: [UInt8]?)] = []
        for change in changes {
            if let position = positions[change.key] {
                net[position].new = change.new
            } else {
                positions[change.key] = net.count
                net.append((change.key, change.old, change.new))
            }
        }
        return net
    }

    /// The latches of unique entries: nobody else may look at them or change them meanwhile.
    func latches(of table: LatchTable) -> LatchSet {
        var set = LatchSet()
        for entry in removed where entry.isUnique { set.insert(table.index(of: CommitContents.latchKey(entry.key))) }
        for entry in added where entry.isUnique { set.insert(table.index(of: CommitContents.latchKey(entry.key))) }
        return set
    }
}

extension Engine {
    /// Puts the difference into a commit. The latches of its unique entries are held.
    ///
    /// - Throws: `.duplicateKey` when a unique entry belongs to another document.
    func add(_ difference: IndexDifference, to contents: inout CommitContents) throws(EngineError) {
        var freed = Set<[UInt8]>()
        var taken: [[UInt8]: [UInt8]] = [:]
        for entry in difference.removed {
            if entry.isUnique {
                // While an index is being built, the entry may be another document's that had the same values first.
                guard try owner(of: entry.key) == entry.value else { continue }
                freed.insert(entry.key)
            }
            contents.remove(entry)
        }
        for entry in difference.added {
            if entry.isUnique {
                var owner = taken[entry.key]
                if owner == nil, !freed.contains(entry.key) { owner = try self.owner(of: entry.key) }
                if let owner, owner != entry.value {
                    throw .duplicateKey(difference.names[entry.key] ?? "", owner: owner)
                }
                taken[entry.key] = entry.value
            }
            contents.add(entry)
        }
    }

    /// The encoded `_id` of the document that has a unique entry, queued changes included.
    func owner(of entry: [UInt8]) throws(EngineError) -> [UInt8]? {
        let key = CommitContents.latchKey(entry)
        if let pending = latches.latch(of: key).pending(key) { return pending.value }
        return try translating { () throws(StorageError) in
            try store.get(.indexes, entry.span.bytes) { $0.withUnsafeBytes { Array($0) } }
        }
    }
}

extension EngineError {
    static func duplicateKey(_ index: String, owner: [UInt8]) -> EngineError {
        let id = ([0, 0, 0, 0] + owner).withUnsafeBytes { DocumentKey.id(in: $0) }
        return EngineError(
            .duplicateKey,
            "Another document, with the _id '\(id?.idText ?? "?")', has the same values in the unique index '\(index)'")
    }
}
