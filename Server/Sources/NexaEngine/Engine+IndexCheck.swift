import NexaStorage
import NexaValue
import NexaVector

extension Engine {
    /// Compares the indexes of a collection with its documents, as of one moment, in bounded memory.
    ///
    /// Indexes that are being built are passed over. Of vector indexes what is in memory is compared too.
    /// - Returns: what is wrong, in words; nothing when all is well. At most a hundred findings.
    /// - Throws: `.storage`, `.shuttingDown`.
    public func checkIndexes(database: String, collection name: String) throws(EngineError) -> [String] {
        guard let collection = catalog.collection(database, name) else { return [] }
        let indexes = collection.queryIndexes.filter { $0.state == .ready }
        let snapshot = try translating { () throws(StorageError) in try store.snapshot() }
        var findings: [String] = []
        for index in indexes where index.state == .ready && findings.count < 100 {
            var expected = 0
            do throws(StorageError) {
                var iterator = try snapshot.makeIterator(
                    .documents, lower: DocumentKey.prefix(collection.number), upper: DocumentKey.end(collection.number))
                while try iterator.advance(), findings.count < 100 {
                    let key = iterator.key.withUnsafeBytes { Array($0) }
                    guard let entries = try? index.entries(of: iterator.value, key: key) else {
                        findings.append("Index '\(index.name)': the document \(Self.id(key)) cannot be indexed")
                        continue
                    }
                    for entry in entries {
                        expected += 1
                        let isThere = try snapshot.get(.indexes, entry.key.span.bytes) { value in
                            value.withUnsafeBytes { $0.elementsEqual(entry.value) }
                        }
                        if isThere != true {
                            findings.append("Index '\(index.name)' lacks an entry of the document \(Self.id(key))")
                        }
                    }
                }
                if let field = index.vectors { try compare(field, index, snapshot, &findings) }
                let stored = try count(index, snapshot)
                if stored != expected {
                    findings.append("Index '\(index.name)' has \(stored) entries, and should have \(expected)")
                }
            } catch {
                throw EngineError(error)
            }
        }
        return findings
    }

    /// Compares the vectors in memory with the stored ones; what is written meanwhile is told as a difference.
    private func compare(
        _ field: VectorField, _ index: Index, _ snapshot: Snapshot, _ findings: inout [String]
    ) throws(StorageError) {
        var stored = 0
        var iterator = try snapshot.makeIterator(.indexes, lower: index.prefix, upper: index.range.upper)
        while try iterator.advance(), findings.count < 100 {
            stored += 1
            let key = iterator.key.withUnsafeBytes { Array($0) }
            let kept = field.current.vector(of: Array(key.dropFirst(DocumentKey.prefixLength)))
            guard let kept, field.isSame(kept, StoredVector.floats(iterator.value)) else {
                findings.append(
                    "Index '\(index.name)' does not hold the vector of the document \(Self.id(key)) in memory")
                continue
            }
        }
        let count = field.current.count
        if count != stored, findings.count < 100 {
            findings.append("Index '\(index.name)' holds \(count) vectors in memory, and should hold \(stored)")
        }
    }

    private static func id(_ key: [UInt8]) -> String {
        "'\(key.withUnsafeBytes { DocumentKey.id(in: $0) }?.idText ?? "?")'"
    }

    private func count(_ index: Index, _ snapshot: Snapshot) throws(StorageError) -> Int {
        var iterator = try snapshot.makeIterator(.indexes, lower: index.prefix, upper: index.range.upper)
        var count = 0
        while try iterator.advance() { count += 1 }
        return count
    }
}
