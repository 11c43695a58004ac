import NexaProtocol
public import NexaValue

/// Documents in the form in which they travel, one behind the other in one piece of memory: for programs that move
/// millions of documents and look at few.
///
/// ```swift
/// var batch = EncodedBatch()
/// for line in lines { try batch.append(json: line.utf8Span.span.bytes) }
/// let result = try await films.insert(batch)
/// ```
///
/// A document without an `_id` gets one when it is added, so that an insert whose reply was lost is sent again without
/// ever becoming two documents.
public struct EncodedBatch: Sendable {
    /// The documents, each one map with its `_id`.
    private(set) var bytes: [UInt8] = []
    /// Where each document ends.
    private(set) var ends: [Int] = []
    /// The ids that were made here; `nil` at the places of documents that came with their own.
    private(set) var madeIDs: [DocumentID?] = []
    private(set) var hasOwnIDs = false

    /// An empty batch.
    public init() {}

    /// The number of documents.
    public var count: Int { ends.count }
    /// Whether there is no document.
    public var isEmpty: Bool { ends.isEmpty }
    /// The bytes that the documents take.
    public var byteCount: Int { bytes.count }

    /// Makes room for documents, so that adding them allocates nothing.
    public mutating func reserveCapacity(documents: Int, bytes: Int) {
        self.bytes.reserveCapacity(bytes)
        ends.reserveCapacity(documents)
        madeIDs.reserveCapacity(documents)
    }

    /// Removes all documents, and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        madeIDs.removeAll(keepingCapacity: true)
        hasOwnIDs = false
    }

    /// Adds a document.
    public mutating func append(_ document: Document) {
        var writer = MessagePackWriter()
        writer.write(document)
        append(encoded: writer.span)
    }

    /// Adds the document that is the text of one JSON object.
    ///
    /// - Parameters:
    ///   - text: the object, with blanks around it at most.
    ///   - options: how the text is read.
    ///   - scratch: memory to work in. Give the same one each time, and nothing is allocated.
    /// - Throws: `JSONError` naming what was expected, with line and column. The batch is as it was then.
    public mutating func append(
        json text: RawSpan, _ options: JSON.Options = .strict, scratch: inout MessagePackWriter
    ) throws(JSONError) {
        scratch.removeAll(keepingAtMost: 1 << 20)
        try JSON.transcodeDocument(text, options, into: &scratch)
        append(encoded: scratch.span)
    }

    /// Adds the document that is the text of one JSON object.
    ///
    /// - Throws: `JSONError` naming what was expected, with line and column. The batch is as it was then.
    public mutating func append(json text: RawSpan, _ options: JSON.Options = .strict) throws(JSONError) {
        var scratch = MessagePackWriter(capacity: text.byteCount + 16)
        try append(json: text, options, scratch: &scratch)
    }

    /// Adds a document that is encoded already: one map, in which each key stands once.
    private mutating func append(encoded: RawSpan) {
        var reader = MessagePackReader(encoded)
        let count = (try? reader.readMapHead()) ?? 0
        let hasID: Bool
        if let document = try? RawDocument(encoded) {
            hasID = document.value(forKey: "_id") != nil
        } else {
            hasID = false
        }
        if hasID {
            encoded.withUnsafeBytes { bytes.append(contentsOf: $0) }
            madeIDs.append(Optional<DocumentID>.none)
            hasOwnIDs = true
        } else {
            let id = DocumentIDGenerator.shared.next()
            appendHead(count + 1)
            bytes += [0xA3, 0x5F, 0x69, 0x64, 0xD9, 32]  // "_id", and a text of 32 bytes
            var text = id.rawValue
            text.withUTF8 { bytes.append(contentsOf: $0) }
            encoded.extracting(reader.position..<encoded.byteCount).withUnsafeBytes { bytes.append(contentsOf: $0) }
            madeIDs.append(id)
        }
        ends.append(bytes.count)
    }

    private mutating func appendHead(_ count: Int) {
        if count < 16 {
            bytes.append(0x80 | UInt8(count))
        } else if count < 1 << 16 {
            bytes += [0xDE, UInt8(count >> 8), UInt8(count & 0xFF)]
        } else {
            bytes.append(0xDF)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        }
    }

    /// One document.
    func document(_ index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }
}

/// What became of a batch: only its failures are listed.
public struct EncodedBatchResult: Sendable {
    /// How many documents were inserted.
    public var inserted: Int
    /// The documents that were not inserted, by their places in the batch in rising order, and why.
    ///
    /// Those with the delivery `.notSent` were not tried, because of an earlier one; `.maybeExecuted`: the connection was
    /// lost, and they may be there all the same.
    public var failures: [(index: Int, error: NexaError)]
}

extension NexaCollection {
    /// Inserts documents that are encoded already, in one request (larger batches in several).
    ///
    /// When the server refuses the batch, as for one duplicate `_id`, nothing of it was written; its documents are then
    /// inserted one by one, so that only those at fault fail.
    /// - Parameters:
    ///   - batch: the documents.
    ///   - ordered: true to stop at the first document that fails.
    ///   - options: how each of the requests is made.
    /// - Throws: `NexaError` with `.unsupported`, before anything is sent. What becomes of the documents afterwards is
    ///   in the result.
    public func insert(
        _ batch: EncodedBatch, ordered: Bool = true, options: CallOptions = .standard
    ) async throws(NexaError) -> EncodedBatchResult {
        guard !batch.isEmpty else { return EncodedBatchResult(inserted: 0, failures: []) }
        let server = try await core.negotiated(options: options)
        let fits = batch.count <= 1000 && batch.byteCount <= 4 << 20
        if fits, server.granted.isSuperset(of: [.clientIDs, .atomicBatches]) {
            do throws(NexaError) {
                try await send(batch, options)
                return EncodedBatchResult(inserted: batch.count, failures: [])
            } catch {
                guard error.delivery == .answered, error.isAboutOneDocument, batch.count > 1 else {
                    return EncodedBatchResult(inserted: 0, failures: batch.ends.indices.map { ($0, error) })
                }
            }
        }
        var documents: [Prepared] = []
        documents.reserveCapacity(batch.count)
        for index in batch.ends.indices { documents.append(try Prepared(batch, index, server)) }
        let outcomes =
            fits
            ? await insertOneByOne(documents[...], ordered: ordered, options: options)
            : await insertAll(documents, server, ordered: ordered, options: options).outcomes
        var result = EncodedBatchResult(inserted: 0, failures: [])
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .success: result.inserted += 1
            case .failure(let error): result.failures.append((index, error))
            }
        }
        return result
    }

    private func send(_ batch: EncodedBatch, _ options: CallOptions) async throws(NexaError) {
        var writer = MessagePackWriter(capacity: batch.byteCount + 8)
        writer.writeArrayHead(count: batch.count)
        writer.writeRaw(batch.bytes)
        let request = Request.insertMany(
            .init(namespace: namespace, documents: writer.bytes, durability: options.wireDurability))
        do throws(NexaError) {
            let reply = try await core.reply(
                to: request, operation: "insert", options: options, requiring: [.clientIDs, .atomicBatches],
                isIdempotent: !batch.hasOwnIDs)
            guard let start = try reply.offset("document_ids") else { throw reply.malformed("it lacks 'document_ids'") }
            var reader = MessagePackReader(reply.payload.span.bytes, at: start)
            guard let count = try? reader.readArrayHead(), count == batch.count else {
                throw reply.malformed("it has not one id for each of \(batch.count) documents")
            }
        } catch {
            // Nobody else has ids that were just made: the duplicates are these very documents, sent before.
            if error.code == .duplicateID, !batch.hasOwnIDs { return }
            throw error
        }
    }
}

extension NexaCollection.Prepared {
    /// A document of a batch. An original server would take a made id for a field: there it is left out again.
    fileprivate init(_ batch: EncodedBatch, _ index: Int, _ server: Negotiated) throws(NexaError) {
        let bytes = Array(batch.document(index))
        guard let id = batch.madeIDs[index] else {
            try self.init(EncodedDocument(bytes: bytes), server)
            return
        }
        if server.granted.contains(.clientIDs) {
            self.init(encoded: bytes, required: [.clientIDs], madeID: id)
        } else {
            var document = (try? MessagePack.decodeDocument(bytes)) ?? [:]
            document["_id"] = Value?.none
            self.init(encoded: MessagePack.encode(document), required: [], madeID: nil)
        }
    }
}
