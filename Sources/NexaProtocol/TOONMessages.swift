public import NexaValue

extension Request {
    /// How documents are written as TOON. With `toon`; without it, and for the clients of 3.0, the standard form.
    public struct TOONFormat: Sendable, Hashable {
        /// `,`, a tab or `|`.
        public var delimiter: String
        /// Fields of nested documents become fields of the document, by their dotted paths.
        public var flattensDocuments: Bool
        /// Lists of plain values become one text, joined by this.
        public var listSeparator: String?
        /// Fields that a document lacks and others have become null.
        public var fillsMissingFields: Bool
        /// Lists of more numbers than this are left out.
        public var maximumVectorLength: Int?

        /// Creates a format; without arguments it is the standard form.
        public init(
            delimiter: String = ",", flattensDocuments: Bool = false, listSeparator: String? = nil,
            fillsMissingFields: Bool = false, maximumVectorLength: Int? = nil
        ) {
            self.delimiter = delimiter
            self.flattensDocuments = flattensDocuments
            self.listSeparator = listSeparator
            self.fillsMissingFields = fillsMissingFields
            self.maximumVectorLength = maximumVectorLength
        }

        /// The standard form.
        public static let standard = TOONFormat()
    }

    /// QUERY_TOON: what QUERY finds, as TOON text.
    public struct QueryTOON: Sendable, Hashable {
        /// The query. Sort, skip, projection and hint only with `toon`.
        public var query: Query
        /// How the text is written.
        public var format: TOONFormat

        /// Creates the message.
        public init(query: Query, format: TOONFormat = .standard) {
            self.query = query
            self.format = format
        }
    }

    /// EXPORT_TOON: a whole collection as TOON text.
    public struct ExportTOON: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// Which fields; empty for all. With `toon`.
        public var projection: Document
        /// How the text is written.
        public var format: TOONFormat

        /// Creates the message.
        public init(namespace: Namespace, projection: Document = [:], format: TOONFormat = .standard) {
            self.namespace = namespace
            self.projection = projection
            self.format = format
        }
    }

    /// IMPORT_TOON: inserts the documents of a TOON text, all or none.
    public struct ImportTOON: Sendable, Hashable {
        /// Where.
        public var namespace: Namespace
        /// The text, UTF-8.
        public var text: [UInt8]
        /// The documents that are there are deleted, in the same commit.
        public var replaces: Bool
        /// Text is read whose counts and widths are wrong, and what NexaDB 3.0 wrote. With `toon`.
        public var isLenient: Bool
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(
            namespace: Namespace, text: [UInt8], replaces: Bool = false, isLenient: Bool = false,
            durability: Durability? = nil
        ) {
            self.namespace = namespace
            self.text = text
            self.replaces = replaces
            self.isLenient = isLenient
            self.durability = durability
        }
    }
}

extension Request.TOONFormat {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init()
        let options = try fields.document("toon", maximumByteCount: 4096)
        if let delimiter = options["delimiter"]?.string {
            guard [",", "\t", "|"].contains(delimiter) else {
                throw RequestError("The delimiter of TOON is ',', a tab or '|'")
            }
            self.delimiter = delimiter
        }
        flattensDocuments = options["flatten"]?.bool ?? false
        listSeparator = options["join"]?.string
        guard (listSeparator?.utf8.count ?? 0) <= 64 else {
            throw RequestError("The separator of joined lists exceeds the limit of 64 bytes", code: .limit)
        }
        fillsMissingFields = options["fill"]?.bool ?? false
        switch options["omit_vectors"] {
        case .bool(true)?: maximumVectorLength = 32
        case .int(let length)? where length >= 0: maximumVectorLength = Int(clamping: length)
        default: break
        }
    }

    fileprivate var fields: Document? {
        guard self != .standard else { return nil }
        var fields = Document()
        if delimiter != "," { fields["delimiter"] = .string(delimiter) }
        if flattensDocuments { fields["flatten"] = true }
        if let listSeparator { fields["join"] = .string(listSeparator) }
        if fillsMissingFields { fields["fill"] = true }
        if let maximumVectorLength { fields["omit_vectors"] = .int(Int64(maximumVectorLength)) }
        return fields
    }
}

extension Request.QueryTOON {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        self.init(query: try Request.Query(fields, &recent), format: try Request.TOONFormat(fields))
        query.isCountOnly = false
        query.page = nil
        query.after = nil
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields = query.fields
        if let format = format.fields { fields["toon"] = .document(format) }
        writer.write(fields)
    }
}

extension Request.ExportTOON {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        self.init(
            namespace: try fields.namespace(missing: "Missing 'collection' field", &recent),
            projection: try fields.document(
                "projection", maximumByteCount: Request.Query.maximumOptionByteCount),
            format: try Request.TOONFormat(fields))
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["collection": .string(namespace.collection), "database": .string(namespace.database)]
        if !projection.isEmpty { fields["projection"] = .document(projection) }
        if let format = format.fields { fields["toon"] = .document(format) }
        writer.write(fields)
    }
}

extension Request.ImportTOON {
    init(_ fields: borrowing RequestFields, _ recent: inout RecentNamespace) throws(RequestError) {
        let namespace = try fields.namespace(missing: "Missing 'collection' field", &recent)
        guard fields.isPresent("toon_data"), let text = fields.raw("toon_data")?.text else {
            throw RequestError("Missing 'toon_data' field")
        }
        self.init(
            namespace: namespace, text: text.withUnsafeBytes { Array($0) }, replaces: !fields.isFalsy("replace"),
            isLenient: fields.isTrue("lenient"), durability: try fields.durability())
    }

    func encode(into writer: inout MessagePackWriter) {
        let count = 3 + (replaces ? 1 : 0) + (isLenient ? 1 : 0) + (durability == nil ? 0 : 1)
        writer.writeMapHead(count: count)
        namespace.encode(into: &writer)
        writer.write("toon_data")
        writer.writeString(utf8: text.span.bytes)
        if replaces { writer.write(key: "replace", true) }
        if isLenient { writer.write(key: "lenient", true) }
        writer.write(durability: durability)
    }
}

extension Reply {
    /// The answer to QUERY_TOON and EXPORT_TOON: the payload, encoded.
    ///
    /// - Parameter more: fields beyond those of 3.0.
    public static func toonPayload(
        _ namespace: Request.Namespace, text: RawSpan, count: Int, statistics: Document, more: Document
    ) -> [UInt8] {
        var writer = MessagePackWriter(capacity: text.byteCount + 1024)
        writer.writeMapHead(count: 6 + more.count)
        writer.write(namespace: namespace)
        writer.write(key: "format", "TOON")
        writer.write("data")
        writer.writeString(utf8: text)
        writer.write(key: "count", count)
        writer.write(key: "token_stats", .document(statistics))
        for (key, value) in more { writer.write(key: key, value) }
        return writer.bytes
    }
}
