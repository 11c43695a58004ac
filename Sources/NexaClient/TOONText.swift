import NexaProtocol
public import NexaTOON
public import NexaValue

/// Documents as TOON text, with what that saves.
public struct TOONText: Sendable, Hashable {
    /// What the text saves.
    public struct Statistics: Sendable, Hashable {
        /// Characters of the text.
        public var characters: Int
        /// Characters of the same documents as Python prints them as JSON, the only measure of NexaDB 3.0; servers tell it.
        public var paddedJSONCharacters: Int?
        /// Bytes of the text; `nil` from a server of 3.0, as the following.
        public var bytes: Int?
        /// Estimated tokens of the text. The estimate compares formats of the same data; it is no invoice.
        public var tokens: Int?
        /// Bytes of the same documents as compact JSON.
        public var compactJSONBytes: Int?
        /// Estimated tokens of the compact JSON.
        public var compactJSONTokens: Int?

        init(_ fields: Document) {
            func count(_ key: String) -> Int? { fields[key]?.int.map { Int($0) } }
            characters = count("toon_size") ?? 0
            paddedJSONCharacters = count("json_size")
            bytes = count("toon_bytes")
            tokens = count("toon_tokens")
            compactJSONBytes = count("compact_json_bytes")
            compactJSONTokens = count("compact_json_tokens")
        }

        init(text: String, json: [UInt8]) {
            characters = text.unicodeScalars.count
            bytes = text.utf8.count
            tokens = TokenEstimate.count(Array(text.utf8).span.bytes)
            compactJSONBytes = json.count
            compactJSONTokens = TokenEstimate.count(json.span.bytes)
        }
    }

    /// The text. From a server: a document with `collection`, `documents` and `count`; an export has `exported_at` as
    /// well.
    public var text: String
    /// How many documents it holds.
    public var count: Int
    /// What it saves.
    public var statistics: Statistics
    /// What was done to the documents; `nil` from a server of 3.0.
    public var report: TOONShapeReport?

    init(_ reply: Answer) throws(NexaError) {
        let fields = try reply.fields()
        guard let text = fields["data"]?.string else { throw reply.malformed("it lacks 'data'") }
        self.text = text
        count = Int(fields["count"]?.int ?? 0)
        statistics = Statistics(fields["token_stats"]?.document ?? [:])
        guard let done = fields["toon"]?.document else { return }
        func names(_ key: String) -> [String] { (done[key]?.array ?? []).compactMap(\.string) }
        var report = TOONShapeReport()
        report.flattened = names("flattened")
        report.joined = names("joined")
        report.omitted = names("omitted")
        report.filledCount = Int(done["filled"]?.int ?? 0)
        report.isTable = done["table"]?.bool ?? false
        self.report = report
    }

    /// Writes documents that the program has, such as what a vector search or a pipeline found, as a list with a name.
    ///
    /// ```swift
    /// let found = try await films.nearest(to: question, limit: 5)
    /// let prompt = try TOONText(found.map(\.document), named: "films")   // films[5]{title,year}: …
    /// ```
    /// - Parameters:
    ///   - documents: the documents, in their order.
    ///   - name: the name of the list.
    ///   - shape: what is done so that they become a table; nothing is lost with `.unchanged`.
    ///   - delimiter: what stands between values.
    /// - Throws: `NexaError` with `.encoding` for a document that is nested too deeply.
    public init(
        _ documents: [Document], named name: String = "documents", shape: TOONShape = .prompt,
        delimiter: TOON.Delimiter = .comma
    ) throws(NexaError) {
        var shaper = TOONShaper(shape)
        for document in documents { shaper.survey(document) }
        let columns = shaper.columns
        var encoder = TOONDocumentEncoder(TOON.EncodingOptions(delimiter: delimiter))
        let json: [UInt8]
        do {
            try encoder.beginList(name, count: documents.count, columns: columns)
            for document in documents { try encoder.append(shaper.apply(document)) }
            try encoder.endList()
            json = try JSON.encode(Value.document([name: .array(documents.map { .document($0) })]))
        } catch {
            throw NexaError(.encoding, "\(error)", underlying: error)
        }
        shaper.finish(isTable: columns != nil)
        text = encoder.text
        count = documents.count
        report = shaper.report
        statistics = Statistics(text: text, json: json)
    }
}
