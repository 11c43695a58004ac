public import NexaTOON
import NexaValue

/// What a TOON text saves, in the terms of NexaDB 3.0 and in honest ones.
public struct TOONStatistics: Sendable, Hashable {
    /// Characters of the same documents as Python prints them as JSON: what 3.0 compares with.
    public var paddedJSONCharacters = 0
    /// Characters of the text.
    public var characters = 0
    /// Bytes of the text.
    public var bytes = 0
    /// Estimated tokens of the text; see `TokenEstimate`.
    public var tokens = 0
    /// Bytes of the same documents as compact JSON.
    public var compactJSONBytes = 0
    /// Estimated tokens of the compact JSON.
    public var compactJSONTokens = 0

    /// The part of the padded JSON's characters that the text saves, in percent with one decimal; negative if it is
    /// longer.
    public var reductionPercent: Double {
        Self.percent(saved: paddedJSONCharacters - characters, of: paddedJSONCharacters)
    }

    /// The part of the compact JSON's tokens that the text saves, in percent with one decimal.
    public var tokenReductionPercent: Double {
        Self.percent(saved: compactJSONTokens - tokens, of: compactJSONTokens)
    }

    private static func percent(saved: Int, of whole: Int) -> Double {
        whole == 0 ? 0 : (Double(saved) / Double(whole) * 1000).rounded(.toNearestOrEven) / 10
    }
}

/// Encoded documents on their way to a TOON text with the envelope of NexaDB 3.0: `collection`, `documents`, `count`,
/// and for an export `exported_at`.
///
/// Each document is a value for a moment only: memory holds the encoded documents and the text.
public struct TOONRendering: Sendable {
    /// The name of the collection.
    public var collection: String
    /// How the documents are changed first.
    public var shape: TOONShape
    /// How the text is written; its limit bounds the text.
    public var options: TOON.EncodingOptions
    /// When the export was made, in seconds since 1970; `nil` for a query.
    public var exportedAt: Double?
    /// Whether tokens and compact JSON are counted.
    public var countsTokens: Bool

    /// How many documents pass between two looks at the clock.
    private static let stride = 256

    /// Creates the plan of a text.
    public init(
        collection: String, shape: TOONShape = .unchanged, options: TOON.EncodingOptions = .standard,
        exportedAt: Double? = nil, countsTokens: Bool = true
    ) {
        self.collection = collection
        self.shape = shape
        self.options = options
        self.exportedAt = exportedAt
        self.countsTokens = countsTokens
    }

    /// A text and what is to be said of it.
    public struct Result: Sendable {
        /// The text, UTF-8.
        public var text: [UInt8]
        /// What it saves.
        public var statistics: TOONStatistics
        /// What was done to the documents.
        public var report: TOONShapeReport
    }

    /// Writes the text.
    ///
    /// - Parameters:
    ///   - documents: the encoded documents, one behind the other.
    ///   - count: how many they are.
    ///   - check: asked now and then whether to go on; what it throws ends the work.
    /// - Throws: `.limit` when the text outgrows its limit, `.storage` for bytes that are no document.
    public func render(
        _ documents: RawSpan, count: Int, check: () throws(EngineError) -> Void = {}
    ) throws(EngineError) -> Result {
        var shaper = TOONShaper(shape)
        var statistics = TOONStatistics()
        try Self.forEach(documents, count, check) { (document, _) throws(EngineError) in
            shaper.survey(document)
        }
        let columns = shaper.columns
        var encoder = TOONDocumentEncoder(options)
        var text: [UInt8] = []
        var json: [UInt8] = []
        var jsonTokens = TokenEstimate()
        // {"documents": […]} for a query; an export is compared with the bare list.
        statistics.paddedJSONCharacters = (exportedAt == nil ? 15 : 0) + 2 + max(0, count - 1) * 2
        statistics.compactJSONBytes = (exportedAt == nil ? 14 : 0) + 2 + max(0, count - 1)
        if countsTokens { jsonTokens.add(exportedAt == nil ? #"{"documents":["# : "[") }
        try Self.translated { () throws(TOONEncodingError) in
            try encoder.writeField("collection", .string(collection))
            try encoder.beginList("documents", count: count, columns: columns)
        }
        try Self.forEach(documents, count, check) { (document, index) throws(EngineError) in
            statistics.paddedJSONCharacters += PaddedJSON.characterCount(.document(document))
            if countsTokens {
                json.removeAll(keepingCapacity: true)
                try? JSON.append(document, to: &json, JSON.EncodingOptions(nonFiniteNumbers: .null))
                statistics.compactJSONBytes += json.count
                jsonTokens.add(json.span.bytes)
                jsonTokens.add(index + 1 < count ? "," : "]}")
            }
            let row = shaper.apply(document)
            try Self.translated { () throws(TOONEncodingError) in try encoder.append(row) }
        }
        try Self.translated { () throws(TOONEncodingError) in
            try encoder.endList()
            try encoder.writeField("count", .int(Int64(count)))
            if let exportedAt { try encoder.writeField("exported_at", .double(exportedAt)) }
        }
        encoder.drain { bytes in text = bytes.withUnsafeBytes { Array($0) } }
        shaper.finish(isTable: columns != nil)
        statistics.bytes = text.count
        statistics.characters = text.count { $0 & 0xC0 != 0x80 }
        if countsTokens {
            statistics.tokens = TokenEstimate.count(text.span.bytes)
            statistics.compactJSONTokens = jsonTokens.count
        }
        return Result(text: text, statistics: statistics, report: shaper.report)
    }

    private static func forEach(
        _ documents: RawSpan, _ count: Int, _ check: () throws(EngineError) -> Void,
        _ body: (Document, Int) throws(EngineError) -> Void
    ) throws(EngineError) {
        var position = 0
        for index in 0..<count {
            if index % Self.stride == 0 { try check() }
            let document: Document
            do throws(MessagePackError) {
                var reader = MessagePackReader(documents, at: position)
                try reader.skip()
                document = try MessagePack.decodeDocument(documents.extracting(position..<reader.position))
                position = reader.position
            } catch {
                throw EngineError(error)
            }
            try body(document, index)
        }
    }

    private static func translated(_ body: () throws(TOONEncodingError) -> Void) throws(EngineError) {
        do throws(TOONEncodingError) {
            try body()
        } catch {
            guard case .tooLarge(let limit) = error.reason else { throw EngineError(.badRequest, "\(error)") }
            throw EngineError(
                .limit, "The TOON text is larger than the limit of \(limit) bytes",
                advice: "Ask for fewer documents (limit and skip, or a filter) or fewer fields (a projection)")
        }
    }
}

extension TokenEstimate {
    fileprivate mutating func add(_ text: StaticString) {
        let bytes = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        add(unsafe RawSpan(_unsafeBytes: bytes))
    }
}
