import NexaQuery
import NexaStorage
import NexaValue

/// The records of indexes: what each is, which fields have arrays, and how far it is built. They are separate keys, so
/// that whoever writes one needs no other.
extension CatalogRecord {
    /// An index as it is in the catalog.
    struct IndexContents {
        var number: UInt32
        var collection: UInt32
        var definition: IndexDefinition
        var isReady: Bool
    }

    /// Where the building of an index goes on.
    struct IndexProgress {
        /// The key of the last document that was looked at.
        var after: [UInt8]
        var scanned: Int
        /// Entries are on their way into the tables past the log. If the record stays so, nobody knows which of them
        /// are there, and the index begins anew.
        var isIngesting = false
    }

    static func indexKey(_ number: UInt32) -> [UInt8] { [Kind.index] + DocumentKey.prefix(number) }
    static func indexMarksKey(_ number: UInt32) -> [UInt8] { [Kind.indexMarks] + DocumentKey.prefix(number) }
    static func indexProgressKey(_ number: UInt32) -> [UInt8] { [Kind.indexProgress] + DocumentKey.prefix(number) }

    static func indexValue(_ index: Index, _ definition: IndexDefinition? = nil, isReady: Bool) -> [UInt8] {
        MessagePack.encode(
            [
                "collection": .int(Int64(index.collection)),
                "definition": .document((definition ?? index.definition).document),
                "ready": .bool(isReady)
            ] as Document)
    }

    static func indexMarksValue(_ marks: Index.Marks) -> [UInt8] {
        MessagePack.encode(["multikey": .int(Int64(marks.multikey)), "cut": .int(Int64(marks.cut))] as Document)
    }

    static func indexProgressValue(_ progress: IndexProgress) -> [UInt8] {
        var fields: Document = ["after": .bytes(progress.after), "scanned": .int(Int64(progress.scanned))]
        if progress.isIngesting { fields["ingesting"] = true }
        return MessagePack.encode(fields)
    }

    static func addIndex(_ key: [UInt8], _ value: Document, to contents: inout Contents) -> Bool {
        guard key.count == 5 else { return false }
        let number = key.dropFirst().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        switch key[0] {
        case Kind.index:
            guard let collection = value["collection"]?.int.flatMap({ UInt32(exactly: $0) }),
                let definition = value["definition"]?.document.flatMap({ try? IndexDefinition($0) })
            else { return false }
            contents.indexes.append(
                IndexContents(
                    number: number, collection: collection, definition: definition,
                    isReady: value["ready"]?.bool ?? false))
        case Kind.indexMarks:
            contents.indexMarks[number] = Index.Marks(
                multikey: UInt32(truncatingIfNeeded: value["multikey"]?.int ?? 0),
                cut: UInt32(truncatingIfNeeded: value["cut"]?.int ?? 0))
        case Kind.indexProgress:
            contents.indexProgress[number] = IndexProgress(
                after: value["after"]?.bytes ?? [], scanned: Int(clamping: value["scanned"]?.int ?? 0),
                isIngesting: value["ingesting"]?.bool ?? false)
        default: return false
        }
        return true
    }

    /// Takes everything that there is of an index out of the store.
    static func dropIndex(_ number: UInt32, in batch: inout WriteBatch) {
        batch.delete(.catalog, key: indexKey(number))
        batch.delete(.catalog, key: indexMarksKey(number))
        batch.delete(.catalog, key: indexProgressKey(number))
        let prefix = DocumentKey.prefix(number)
        batch.deleteRange(.indexes, lower: prefix, upper: prefix.prefixEnd)
    }
}
