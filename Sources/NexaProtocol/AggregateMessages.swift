public import NexaValue

extension Request {
    /// AGGREGATE: begins a pipeline, or goes on with one whose result had more than a page.
    public struct Aggregate: Sendable, Hashable {
        /// What is asked for.
        public enum Step: Sendable, Hashable {
            /// The pipeline, an array of documents.
            case begin(Value)
            /// The next page: the `next` of the page before.
            case goOn([UInt8])
            /// The rest is not wanted.
            case close([UInt8])
        }

        /// Where.
        public var namespace: Namespace
        /// What is asked for.
        public var step: Step
        /// Stop after so many documents or bytes and keep the rest for later; `nil` for everything at once.
        public var page: Query.Page?
        /// Say how the documents at the front are found, and carry no later stage out.
        public var isExplained = false

        /// Creates the message.
        public init(namespace: Namespace, step: Step, page: Query.Page? = nil) {
            self.namespace = namespace
            self.step = step
            self.page = page
        }

        /// The collection that the pipeline writes to, if it does.
        public var target: String? {
            guard !isExplained, case .begin(.array(let stages)) = step, let last = stages.last?.document else {
                return nil
            }
            return (last["$merge"] ?? last["$out"]).map { operand in
                operand.string ?? operand.document.flatMap { $0["into"] ?? $0["coll"] }?.string ?? ""
            }
        }
    }

    /// DISTINCT: the values that a field has.
    public struct Distinct: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The path; of arrays on the way each element counts.
        public var field: String
        /// Of which documents.
        public var filter: Document

        /// Creates the message.
        public init(namespace: Namespace, field: String, filter: Document = [:]) {
            self.namespace = namespace
            self.field = field
            self.filter = filter
        }
    }
}

extension Request.Aggregate {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let namespace = try fields.namespace(missing: "Missing 'collection' field", &recent)
        let limit = Request.Query.maximumOptionByteCount
        if let cursor = try fields.value("cursor", maximumByteCount: 64)?.bytes {
            self.init(namespace: namespace, step: fields.isTrue("close") ? .close(cursor) : .goOn(cursor))
        } else {
            guard let pipeline = try fields.value("pipeline", maximumByteCount: limit), pipeline.array != nil else {
                throw RequestError("Missing 'pipeline' field, an array of stages")
            }
            self.init(namespace: namespace, step: .begin(pipeline))
            isExplained = fields.isTrue("explain")
        }
        page = try fields.page()
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["collection": .string(namespace.collection), "database": .string(namespace.database)]
        switch step {
        case .begin(let pipeline): fields["pipeline"] = .some(pipeline)
        case .goOn(let cursor): fields["cursor"] = .bytes(cursor)
        case .close(let cursor):
            fields["cursor"] = .bytes(cursor)
            fields["close"] = true
        }
        if isExplained { fields["explain"] = true }
        if let page {
            fields["page"] = ["documents": .int(Int64(page.documents)), "bytes": .int(Int64(page.bytes))]
        }
        writer.write(fields)
    }
}

extension Request.Distinct {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let namespace = try fields.namespace(missing: "Missing 'collection' or 'field' field", &recent)
        guard let field = try fields.string("field"), !field.isEmpty else {
            throw RequestError("Missing 'collection' or 'field' field")
        }
        self.init(
            namespace: namespace, field: field,
            filter: try fields.document("filters", maximumByteCount: Request.Query.maximumOptionByteCount))
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = [
            "collection": .string(namespace.collection), "database": .string(namespace.database),
            "field": .string(field)
        ]
        if !filter.isEmpty { fields["filters"] = .document(filter) }
        writer.write(fields)
    }
}

extension RequestFields {
    /// The size of a page, if one is asked for.
    func page() throws(RequestError) -> Request.Query.Page? {
        guard isPresent("page") else { return nil }
        let sizes = try document("page", maximumByteCount: 256)
        var page = Request.Query.Page()
        if let documents = sizes["documents"]?.int { page.documents = Int(clamping: max(1, documents)) }
        if let bytes = sizes["bytes"]?.int { page.bytes = Int(clamping: max(1, bytes)) }
        return page
    }
}
