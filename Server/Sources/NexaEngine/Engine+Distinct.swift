import NexaQuery
import NexaValue

/// The search for the distinct values of a field, in steps like a `QueryExecution`.
///
/// `@unchecked Sendable`: it is used by one thread at a time, which may change between two steps; whoever hands it over
/// provides the order.
public final class DistinctExecution: @unchecked Sendable {
    private final class Found {
        var values: [Value] = []
        var seen = Set<[UInt8]>()
        var bytes = 0
    }

    private let query: QueryExecution
    private let found = Found()

    /// The values, in the order in which they were first seen.
    public var values: [Value] { found.values }

    init(_ query: QueryExecution, field: String, maximumBytes: Int) {
        self.query = query
        let parts = field.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let reader = FieldPathReader(field)
        let found = found
        query.sink = { (document) throws(EngineError) in
            if let range = reader.range(in: document) {
                let encoded = document.extracting(range)
                do throws(MessagePackError) {
                    Self.add(try MessagePack.decode(encoded), to: found)
                } catch {
                    throw EngineError(.storage, "A stored document is damaged: \(error)")
                }
            } else if parts.count > 1 {
                do throws(MessagePackError) {
                    Self.collect(parts[...], in: .document(try MessagePack.decodeDocument(document)), to: found)
                } catch {
                    throw EngineError(.storage, "A stored document is damaged: \(error)")
                }
            }
            guard found.bytes <= maximumBytes else {
                throw EngineError(
                    .limit, "The distinct values take more than the limit of \(maximumBytes) bytes",
                    advice: "Use a narrower filter, or $group in a pipeline")
            }
            return true
        }
    }

    /// Looks at up to `budget` documents.
    ///
    /// - Throws: `.limit` when there are too many values, and as `QueryExecution.step(budget:)`.
    public func step(budget: Int) throws(EngineError) -> QueryExecution.Progress { try query.step(budget: budget) }

    private static func add(_ value: Value, to found: Found) {
        if case .array(let elements) = value {
            for element in elements { insert(element, to: found) }
        } else {
            insert(value, to: found)
        }
    }

    private static func insert(_ value: Value, to found: Found) {
        var key: [UInt8] = []
        OrderedEncoding.append(value, to: &key)
        let size = key.count + value.estimatedBytes
        guard found.seen.insert(key).inserted else { return }
        found.bytes += size
        found.values.append(value)
    }

    private static func collect(_ path: ArraySlice<String>, in value: Value, to found: Found) {
        guard let name = path.first else { return add(value, to: found) }
        switch value {
        case .document(let document):
            if let inner: Value = document[name] { collect(path.dropFirst(), in: inner, to: found) }
        case .array(let elements):
            for element in elements {
                if case .document = element { collect(path, in: element, to: found) }
            }
            if let index = Int(name), elements.indices.contains(index) {
                collect(path.dropFirst(), in: elements[index], to: found)
            }
        default: break
        }
    }
}

extension Engine {
    /// Begins to look for the distinct values of a field; see `DistinctExecution`.
    ///
    /// - Throws: `.badRequest` for a filter that is none.
    public func distinct(
        database: String, collection: String, field: String, filter: Document = [:], transaction: Transaction? = nil,
        maximumBytes: Int = 16 << 20
    ) throws(EngineError) -> DistinctExecution {
        var options = QueryOptions()
        options.transaction = transaction
        return DistinctExecution(
            try query(database: database, collection: collection, filter: filter, options: options), field: field,
            maximumBytes: maximumBytes)
    }
}
