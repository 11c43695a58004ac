public import NexaValue

extension Request {
    /// CREATE_INDEX.
    public struct CreateIndex: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// `{keys: [[path, 1 or -1], …], name, unique, sparse, partial, expire_after}`; all but the keys may be absent.
        public var definition: Document

        /// Creates the message.
        public init(namespace: Namespace, definition: Document) {
            self.namespace = namespace
            self.definition = definition
        }
    }

    /// DROP_INDEX.
    public struct DropIndex: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The name of the index.
        public var name: String

        /// Creates the message.
        public init(namespace: Namespace, name: String) {
            self.namespace = namespace
            self.name = name
        }
    }
}

extension Request.CreateIndex {
    /// The largest definition, in bytes.
    private static var maximumByteCount: Int { 64 << 10 }

    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let missing = "Missing 'collection' or 'index' field"
        let namespace = try fields.namespace(missing: missing, &recent)
        let definition = try fields.document("index", maximumByteCount: Self.maximumByteCount)
        guard !definition.isEmpty else { throw RequestError(missing) }
        self.init(namespace: namespace, definition: definition)
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.writeMapHead(count: 3)
        namespace.encode(into: &writer)
        writer.write(key: "index", .document(definition))
    }
}

extension Request.DropIndex {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let missing = "Missing 'collection' or 'name' field"
        let namespace = try fields.namespace(missing: missing, &recent)
        guard fields.isPresent("name"), let name = try fields.string("name") else { throw RequestError(missing) }
        self.init(namespace: namespace, name: name)
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.writeMapHead(count: 3)
        namespace.encode(into: &writer)
        writer.write(key: "name", name)
    }
}
