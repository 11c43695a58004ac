import NexaValue

/// The fields of an index, and the keys that a document has in it.
///
/// A key is the encodings of its fields one behind the other (`OrderedEncoding`, inverted for descending fields). A
/// field that is missing counts as null. Of an array, each element has a key of its own, as in MongoDB
/// ("multikey"); all fields that pass through one array follow it element by element, and fields in two different
/// arrays of one document are refused. An empty array has a key before null.
public struct IndexKeyPattern: Sendable {
    /// One field of an index.
    public struct Field: Sendable, Hashable {
        /// The dotted path.
        public var path: String
        /// Whether the largest value comes first.
        public var isDescending: Bool

        /// Creates a field.
        public init(_ path: String, isDescending: Bool = false) {
            self.path = path
            self.isDescending = isDescending
        }
    }

    /// The number of fields an index may have, as in MongoDB.
    public static let maximumFields = 32
    /// The encoding of one field is cut after so many bytes. Since no encoding is a prefix of another, the order of
    /// cut keys is right, and only values that begin alike share a key.
    public static let maximumFieldBytes = 1024

    /// The fields, the first one deciding.
    public let fields: [Field]
    let paths: [FieldPath]

    /// Prepares the extraction of keys.
    ///
    /// - Throws: `QueryError` when there are no fields or too many, a path occurs twice or has an empty part, begins
    ///   with `$`, or names a position in an array.
    public init(_ fields: [Field]) throws(QueryError) {
        guard !fields.isEmpty else { throw QueryError(.invalidPath, "an index needs at least one field") }
        guard fields.count <= Self.maximumFields else {
            throw .limit("the index has more than \(Self.maximumFields) fields")
        }
        var paths: [FieldPath] = []
        for field in fields {
            let path = try FieldPath(field.path)
            guard !path.parts.contains(where: { $0.name.first == 0x24 }) else {
                throw QueryError(.invalidPath, "a field of an index cannot begin with $: \(field.path)")
            }
            guard !path.parts.contains(where: { $0.name.isEmpty }) else {
                throw QueryError(.invalidPath, "a field of an index needs a name")
            }
            guard !path.parts.contains(where: { $0.arrayIndex >= 0 }) else {
                throw QueryError(.invalidPath, "a position in an array cannot be indexed: \(field.path)")
            }
            guard !paths.contains(path) else {
                throw QueryError(.invalidPath, "the index has \"\(field.path)\" twice")
            }
            paths.append(path)
        }
        self.fields = fields
        self.paths = paths
    }

    /// The keys of one document, and what was met on the way.
    public struct Keys: Sendable {
        /// The keys, each once, in no particular order.
        public internal(set) var keys: [[UInt8]] = []
        /// Bit i is set when the path of field i met an array.
        public internal(set) var multikey: UInt32 = 0
        /// Bit i is set when a value of field i was cut.
        public internal(set) var cut: UInt32 = 0

        /// No keys.
        public init() {}
    }

    /// The keys of an encoded document.
    ///
    /// - Parameters:
    ///   - prefix: what all keys begin with.
    ///   - isSparse: whether to leave out keys of which all fields are missing.
    ///   - maximumKeys: how many keys a document may have.
    /// - Throws: `QueryError` when fields are in two different arrays, there are too many keys, or the bytes are not
    ///   a well-formed map.
    public func keys(
        of document: RawSpan, prefix: [UInt8] = [], isSparse: Bool = false, maximumKeys: Int = 10_000
    ) throws(QueryError) -> Keys {
        do {
            var expansion = KeyExpansion(
                document, pattern: self, prefix: prefix, isSparse: isSparse, maximumKeys: maximumKeys)
            try expansion.expand([KeyExpansion.Cursor](repeating: KeyExpansion.Cursor(), count: paths.count))
            var result = expansion.result
            if result.keys.count > 1 { result.keys = Array(Set(result.keys)) }
            return result
        } catch let error as QueryError {
            throw error
        } catch let error as MessagePackError {
            throw QueryError(corrupt: error)
        } catch {
            throw QueryError(.corruptDocument, "\(error)")
        }
    }
}
