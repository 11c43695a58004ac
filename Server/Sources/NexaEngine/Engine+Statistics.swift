import NexaQuery
import NexaStorage
public import NexaValue

/// How much an index holds.
public struct IndexStatistics: Sendable, Hashable {
    /// The name.
    public var name: String
    /// How far it is.
    public var state: IndexStatus.State
    /// The entries; see `CollectionStatistics.isExact`.
    public var entries: Int
    /// The bytes of keys and values, before compression.
    public var bytes: Int
}

/// How much a collection holds.
public struct CollectionStatistics: Sendable, Hashable {
    /// The documents.
    public var documents: Int
    /// The bytes of all documents, encoded, before compression.
    public var bytes: Int
    /// Everything was counted. More than `EngineLimits.maximumCountedEntries` documents or entries of an index are not
    /// counted but estimated, from those that were and the sizes of files.
    public var isExact: Bool
    /// The bytes that the documents take in files, compressed; what was written lately is not in files yet.
    public var fileBytes: Int
    /// The indexes, in the order in which they were made.
    public var indexes: [IndexStatistics]

    /// The size of a document in the middle, in bytes.
    public var averageBytes: Double { documents == 0 ? 0 : Double(bytes) / Double(documents) }

    /// As a client gets it.
    public var fields: Document {
        [
            "documents": .int(Int64(documents)), "bytes": .int(Int64(bytes)), "average_bytes": .double(averageBytes),
            "exact": .bool(isExact), "file_bytes": .int(Int64(fileBytes)),
            "indexes": .array(
                indexes.map { index in
                    [
                        "name": .string(index.name), "state": .string(index.state.rawValue),
                        "entries": .int(Int64(index.entries)), "bytes": .int(Int64(index.bytes))
                    ]
                })
        ]
    }
}

/// How much a database holds.
public struct DatabaseStatistics: Sendable, Hashable {
    /// The collections by name.
    public var collections: [(name: String, statistics: CollectionStatistics)] = []

    /// Compares the collections.
    public static func == (left: Self, right: Self) -> Bool {
        left.collections.elementsEqual(right.collections) { $0.name == $1.name && $0.statistics == $1.statistics }
    }

    /// Hashes the collections.
    public func hash(into hasher: inout Hasher) {
        for (name, statistics) in collections {
            hasher.combine(name)
            hasher.combine(statistics)
        }
    }

    /// As a client gets it.
    public var fields: Document {
        let all = collections.map(\.statistics)
        return [
            "collections": .document(Document(collections.map { ($0.name, .document($0.statistics.fields)) })),
            "documents": .int(Int64(all.reduce(0) { $0 + $1.documents })),
            "bytes": .int(Int64(all.reduce(0) { $0 + $1.bytes })),
            "exact": .bool(all.allSatisfy(\.isExact)),
            "file_bytes": .int(Int64(all.reduce(0) { $0 + $1.fileBytes })),
            "index_bytes": .int(Int64(all.reduce(0) { $0 + $1.indexes.reduce(0) { $0 + $1.bytes } }))
        ]
    }
}

extension Engine {
    /// Counts what a collection holds. An unknown one holds nothing.
    ///
    /// - Parameter check: called now and then; what it throws ends the counting.
    public func statistics(
        database: String, collection name: String, check: () throws(EngineError) -> Void = {}
    ) throws(EngineError) -> CollectionStatistics {
        var statistics = CollectionStatistics(documents: 0, bytes: 0, isExact: true, fileBytes: 0, indexes: [])
        guard let collection = catalog.collection(database, name) else { return statistics }
        let lower = DocumentKey.prefix(collection.number)
        let upper = DocumentKey.end(collection.number)
        let documents = try count(.documents, lower, upper, check)
        statistics.documents = documents.count
        statistics.bytes = documents.valueBytes
        statistics.isExact = documents.isExact
        statistics.fileBytes = store.approximateSize(.documents, lower: lower, upper: upper)
        for index in collection.queryIndexes {
            let entries = try count(.indexes, index.range.lower, index.range.upper, check)
            statistics.isExact = statistics.isExact && entries.isExact
            statistics.indexes.append(
                IndexStatistics(
                    name: index.name, state: index.state == .ready ? .ready : .building, entries: entries.count,
                    bytes: entries.keyBytes + entries.valueBytes))
        }
        return statistics
    }

    /// Counts what all collections of a database hold.
    public func statistics(
        database: String, check: () throws(EngineError) -> Void = {}
    ) throws(EngineError) -> DatabaseStatistics {
        var statistics = DatabaseStatistics()
        for name in collectionNames(database: database) {
            let one = try self.statistics(database: database, collection: name, check: check)
            statistics.collections.append((name, one))
        }
        return statistics
    }

    private struct Extent {
        var count = 0
        var keyBytes = 0
        var valueBytes = 0
        var isExact = true
    }

    private func count(
        _ family: ColumnFamily, _ lower: [UInt8], _ upper: [UInt8], _ check: () throws(EngineError) -> Void
    ) throws(EngineError) -> Extent {
        var extent = Extent()
        var iterator = try translating { () throws(StorageError) in
            try store.makeIterator(family, lower: lower, upper: upper)
        }
        while extent.count < EngineLimits.maximumCountedEntries {
            if extent.count % 4096 == 0 { try check() }
            guard try Self.advance(&iterator) else { return extent }
            extent.count += 1
            extent.keyBytes += iterator.key.byteCount
            extent.valueBytes += iterator.value.byteCount
        }
        guard try Self.advance(&iterator) else { return extent }
        let estimate = max(extent.count + 1, estimatedCount(family, lower, upper))
        let factor = Double(estimate) / Double(extent.count)
        return Extent(
            count: estimate, keyBytes: Int(Double(extent.keyBytes) * factor),
            valueBytes: Int(Double(extent.valueBytes) * factor), isExact: false)
    }

    private static func advance(_ iterator: inout StoreIterator) throws(EngineError) -> Bool {
        do throws(StorageError) { return try iterator.advance() } catch { throw EngineError(error) }
    }

    /// About how many keys are in a range: its share of the bytes in files, of all keys of the family.
    private func estimatedCount(_ family: ColumnFamily, _ lower: [UInt8], _ upper: [UInt8]) -> Int {
        let all = store.approximateSize(family, lower: [0], upper: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        let own = store.approximateSize(family, lower: lower, upper: upper)
        guard all > 0 else { return 0 }
        return Int(Double(store.estimatedKeyCount(family)) * min(1, Double(own) / Double(all)))
    }

    /// About how many documents a collection has.
    func estimatedDocumentCount(of collection: Collection) -> Int {
        estimatedCount(.documents, DocumentKey.prefix(collection.number), DocumentKey.end(collection.number))
    }
}
