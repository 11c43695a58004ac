import NexaProtocol
public import NexaTOON
public import NexaValue

@_exported import enum NexaTOON.TOON
@_exported import struct NexaTOON.TOONEncodingError
@_exported import struct NexaTOON.TOONError
@_exported import struct NexaTOON.TOONShape
@_exported import struct NexaTOON.TOONShapeReport

/// What an import of TOON text did.
public struct TOONImportResult: Sendable, Hashable {
    /// How many documents were inserted.
    public var count: Int
    /// The ids of the first 100 of them.
    public var firstIDs: [DocumentID]
}

extension NexaQuery {
    /// The documents as TOON text, made by the server: the form for the prompt of a language model.
    ///
    /// Sort, limit, skip and `select` count. The text holds all documents that the query means, up to the server's limit
    /// of a reply (48 MiB unless it is configured otherwise).
    /// - Parameters:
    ///   - shape: what is done so that the documents become a table; `.prompt` gives the fewest tokens.
    ///   - delimiter: what stands between values.
    /// - Throws: `NexaError`: `.limitExceeded` when the text would be too large, `.unsupported` before anything is sent
    ///   when a server of 3.0 would ignore a part of it.
    public func toon(
        _ shape: TOONShape = .unchanged, delimiter: TOON.Delimiter = .comma
    ) async throws(NexaError) -> TOONText {
        let server = try await core.negotiated(options: callOptions)
        let format = Request.TOONFormat(shape, delimiter)
        var query = request(remaining: limitCount, after: nil)
        if !server.granted.contains(.toon) {
            let isPlain =
                format == .standard && query.skip == 0 && query.sort.isNull && query.projection.isEmpty
                && query.hint == nil
            guard isPlain else { throw NexaError.lacking([.toon], server).during("toon") }
            if limitCount == nil { query.limit = Request.Query.originalMaximumLimit }
        }
        return try TOONText(
            try await core.reply(
                to: .queryTOON(.init(query: query, format: format)), operation: "toon", options: callOptions))
    }
}

extension NexaCollection {
    /// The whole collection as TOON text, which `importTOON` reads back when the shape changes nothing.
    ///
    /// - Parameters:
    ///   - shape: what is done so that the documents become a table.
    ///   - delimiter: what stands between values.
    ///   - options: how the call is made; an hour unless it has a time.
    /// - Throws: `NexaError`: `.limitExceeded` when the text would be larger than a reply may be; query the collection
    ///   in parts then.
    public func exportTOON(
        _ shape: TOONShape = .unchanged, delimiter: TOON.Delimiter = .comma, options: CallOptions = .standard
    ) async throws(NexaError) -> TOONText {
        let format = Request.TOONFormat(shape, delimiter)
        return try TOONText(
            try await core.reply(
                to: .exportTOON(.init(namespace: namespace, format: format)), operation: "exportTOON",
                options: NexaClient.patient(options), requiring: format == .standard ? [] : [.toon]))
    }

    /// Inserts the documents of a TOON text, all or none; those with an `_id` keep it.
    ///
    /// The text is what `exportTOON` gives, a list or table of documents, or one document; at most 100 000.
    /// - Parameters:
    ///   - text: the text.
    ///   - replacing: deletes the documents that are there, in the same commit.
    ///   - isLenient: reads text whose counts and widths are wrong, and what NexaDB 3.0 wrote.
    ///   - options: how the call is made; an hour unless it has a time.
    /// - Throws: `NexaError`: `.invalidRequest` with line and column in `serverMessage` for text that is not acceptable,
    ///   `.duplicateID` when a document with an `_id` is there already, or twice in the text.
    @discardableResult
    public func importTOON(
        _ text: String, replacing: Bool = false, isLenient: Bool = false, options: CallOptions = .standard
    ) async throws(NexaError) -> TOONImportResult {
        let request = Request.ImportTOON(
            namespace: namespace, text: Array(text.utf8), replaces: replacing, isLenient: isLenient)
        let reply = try await core.reply(
            to: .importTOON(request), operation: "importTOON", options: NexaClient.patient(options),
            requiring: isLenient ? [.toon] : [])
        let fields = try reply.fields()
        return TOONImportResult(
            count: Int(fields["imported"]?.int ?? 0),
            firstIDs: (fields["document_ids"]?.array ?? []).compactMap { DocumentID($0) })
    }
}

extension Request.TOONFormat {
    fileprivate init(_ shape: TOONShape, _ delimiter: TOON.Delimiter) {
        self.init(
            delimiter: String(Unicode.Scalar(delimiter.rawValue)), flattensDocuments: shape.flattensDocuments,
            listSeparator: shape.listSeparator, fillsMissingFields: shape.fillsMissingFields,
            maximumVectorLength: shape.maximumVectorLength)
    }
}

// MARK: Codable

/// Writes models as TOON text.
///
/// ```swift
/// let text = try NexaTOONEncoder().encode(movies)   // [2]{title,year}: …
/// ```
public struct NexaTOONEncoder: Sendable {
    /// How the text is written.
    public var options: TOON.EncodingOptions
    /// How models become values. Dates and binary data take the forms of JSON.
    public var coding: ModelCoding

    /// Creates an encoder.
    public init(_ options: TOON.EncodingOptions = .standard, coding: ModelCoding = .standard) {
        self.options = options
        self.coding = coding
    }

    /// Writes a model, or a list of models.
    ///
    /// - Throws: `NexaError` with `.encoding` when its `encode` throws, or beyond the limits of the options.
    public func encode(_ model: some Encodable) throws(NexaError) -> String {
        let value = try Value.encode(model, coding: coding)
        do throws(TOONEncodingError) {
            return try TOON.string(value, options)
        } catch {
            throw NexaError(.encoding, "\(error)", underlying: error)
        }
    }
}

/// Reads models from TOON text.
public struct NexaTOONDecoder: Sendable {
    /// How the text is read.
    public var options: TOON.DecodingOptions
    /// How values become models.
    public var coding: ModelCoding

    /// Creates a decoder.
    public init(_ options: TOON.DecodingOptions = .strict, coding: ModelCoding = .standard) {
        self.options = options
        self.coding = coding
    }

    /// Reads a model, or a list of models.
    ///
    /// - Throws: `NexaError` with `.decoding`: with line and column for text that is not acceptable (`underlying` is the
    ///   `TOONError`), with the path and both types for text that does not fit the model.
    public func decode<Model: Decodable>(_ type: Model.Type, from text: String) throws(NexaError) -> Model {
        let value: Value
        do throws(TOONError) {
            value = try TOON.decode(text, options)
        } catch {
            throw NexaError(.decoding, "\(error)", underlying: error)
        }
        return try value.decode(type, coding: coding)
    }
}
