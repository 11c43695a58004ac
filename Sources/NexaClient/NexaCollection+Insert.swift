import NexaProtocol
public import NexaValue

extension NexaCollection {
    /// Inserts a document and returns its id: its `_id` field, or one that is made.
    ///
    /// The client makes the id where the server lets it, so that an insert whose reply was lost is sent again
    /// without ever becoming two documents. With an `_id` of your own it is not: a second answer of
    /// `.duplicateID` could not be told from someone else's document.
    /// - Throws: `NexaError`: `.duplicateID` when a document with this `_id` is there, `.encoding` when the model is
    ///   no document, `.unsupported` for an `_id` on an original server, which would store it under another key.
    @discardableResult
    public func insert(
        _ model: Model, options: CallOptions = .standard
    ) async throws(NexaError) -> DocumentID {
        let server = try await core.negotiated(options: options)
        return try await insert(try Prepared(Document.encode(model, coding: coding), server), options: options)
    }

    /// Inserts many documents, in batches of at most 1000 documents or 4 MiB.
    ///
    /// A batch is one request. When the server refuses it, as for one duplicate `_id`, nothing of it was
    /// written; its documents are then inserted one by one, so that only those at fault fail.
    ///
    /// - Parameters:
    ///   - models: the documents.
    ///   - ordered: true to stop at the first document that fails. Those behind it are not sent; their outcome is that
    ///     failure with the delivery `.notSent`. With false, which is faster, four batches are on their way at once.
    ///   - options: how each of the requests is made.
    /// - Throws: `NexaError` with `.encoding` or `.unsupported`, before anything is sent. What becomes of
    ///   each document afterwards is in the result.
    @discardableResult
    public func insert(
        contentsOf models: some Swift.Collection<Model> & Sendable, ordered: Bool = true,
        options: CallOptions = .standard
    ) async throws(NexaError) -> BulkResult {
        guard !models.isEmpty else { return BulkResult(outcomes: []) }
        let server = try await core.negotiated(options: options)
        var documents: [Prepared] = []
        documents.reserveCapacity(models.count)
        for model in models { documents.append(try Prepared(Document.encode(model, coding: coding), server)) }
        return await insertAll(documents, server, ordered: ordered, options: options)
    }

    /// Inserts many documents that are encoded already, as `insert(contentsOf:)` does.
    ///
    /// - Parameters:
    ///   - documents: the documents, which may have an `_id`.
    ///   - ordered: true to stop at the first document that fails.
    ///   - options: how each of the requests is made.
    /// - Throws: `NexaError` with `.unsupported`, before anything is sent. What becomes of each document afterwards is in
    ///   the result.
    @discardableResult
    public func insert(
        encoded documents: [EncodedDocument], ordered: Bool = true, options: CallOptions = .standard
    ) async throws(NexaError) -> BulkResult {
        guard !documents.isEmpty else { return BulkResult(outcomes: []) }
        let server = try await core.negotiated(options: options)
        var prepared: [Prepared] = []
        prepared.reserveCapacity(documents.count)
        for document in documents { prepared.append(try Prepared(document, server)) }
        return await insertAll(prepared, server, ordered: ordered, options: options)
    }

    func insertAll(
        _ documents: [Prepared], _ server: Negotiated, ordered: Bool, options: CallOptions
    ) async -> BulkResult {
        // One connection of a transaction has one request at a time.
        if !ordered, core.lease == nil { return await insertTogether(documents, server, options: options) }
        var outcomes: [Result<DocumentID, NexaError>] = []
        outcomes.reserveCapacity(documents.count)
        while outcomes.count < documents.count {
            let batch = Prepared.batch(documents[outcomes.count...])
            outcomes += await insertBatch(batch, server, ordered: ordered, options: options)
            guard ordered, case .failure(let error)? = outcomes.last else { continue }
            let rest = documents.count - outcomes.count
            outcomes += Array(repeating: .failure(error.asNotSent), count: rest)
        }
        return BulkResult(outcomes: outcomes)
    }

    /// Batches that are on their way at once when no document waits for those before it: while the server waits for the
    /// device, it reads the next ones, and what waits together is made durable together.
    private static var batchesInFlight: Int { 4 }

    private func insertTogether(
        _ documents: [Prepared], _ server: Negotiated, options: CallOptions
    ) async -> BulkResult {
        typealias Outcomes = (batch: Int, [Result<DocumentID, NexaError>])
        let batches = await withTaskGroup(of: Outcomes.self) { group in
            var batches: [[Result<DocumentID, NexaError>]] = []
            var start = 0
            while start < documents.count {
                if batches.count >= Self.batchesInFlight, let (number, outcomes) = await group.next() {
                    batches[number] = outcomes
                }
                let batch = Prepared.batch(documents[start...])
                let number = batches.count
                batches.append([])
                group.addTask { (number, await insertBatch(batch, server, ordered: false, options: options)) }
                start = batch.endIndex
            }
            for await (number, outcomes) in group { batches[number] = outcomes }
            return batches
        }
        return BulkResult(outcomes: Array(batches.joined()))
    }

    /// A document ready to be sent.
    struct Prepared: Sendable {
        var encoded: [UInt8]
        /// What a server must know to take the document as it is.
        var required: RequiredCapabilities = []
        /// The id that the client made; `nil` when it is the caller's or the server's to choose.
        var madeID: DocumentID?

        /// Vectors are packed where the server takes them so.
        init(_ document: Document, _ server: Negotiated) throws(NexaError) {
            let takesIDs = server.granted.contains(.clientIDs)
            let makesID = takesIDs && document["_id"] == nil
            guard takesIDs || document["_id"] == nil else {
                throw NexaError.lacking([.clientIDs], server).during("insert")
            }
            var writer = MessagePackWriter()
            writer.packsVectors = server.granted.contains(.packedVectors)
            writer.writeMapHead(count: document.count + (makesID ? 1 : 0))
            var id: DocumentID?
            if makesID {
                let made = DocumentIDGenerator.shared.next()
                writer.write("_id")
                writer.write(made.rawValue)
                id = made
            }
            for (key, value) in document {
                writer.write(key)
                writer.write(value)
            }
            var required: RequiredCapabilities = takesIDs ? [.clientIDs] : []
            if writer.hasPackedVectors { required.insert(.packedVectors) }
            self.init(encoded: writer.bytes, required: required, madeID: id)
        }

        init(encoded: [UInt8], required: RequiredCapabilities, madeID: DocumentID?) {
            self.encoded = encoded
            self.required = required
            self.madeID = madeID
        }

        init(_ document: EncodedDocument, _ server: Negotiated) throws(NexaError) {
            let takesIDs = server.granted.contains(.clientIDs)
            if document.hasID {
                guard takesIDs else { throw NexaError.lacking([.clientIDs], server).during("insert") }
                required = [.clientIDs]
                encoded = document.bytes
            } else if takesIDs {
                let id = DocumentIDGenerator.shared.next()
                encoded = document.with(id)
                madeID = id
                required = [.clientIDs]
            } else {
                encoded = document.bytes
            }
        }

        /// As many from the front as make one request.
        static func batch(_ documents: ArraySlice<Prepared>) -> ArraySlice<Prepared> {
            var end = documents.startIndex
            var bytes = 0
            while end < documents.endIndex, end - documents.startIndex < 1000 {
                bytes += documents[end].encoded.count
                if bytes > 4 << 20, end > documents.startIndex { break }
                end += 1
            }
            return documents[..<end]
        }
    }

    private func insert(_ document: Prepared, options: CallOptions) async throws(NexaError) -> DocumentID {
        let request = Request.insert(
            .init(namespace: namespace, document: document.encoded, durability: options.wireDurability))
        do throws(NexaError) {
            let reply = try await core.reply(
                to: request, operation: "insert", options: options, requiring: document.required,
                isIdempotent: document.madeID != nil, wantsPayload: document.madeID == nil)
            if let id = document.madeID { return id }
            return try reply.id("document_id")
        } catch {
            // Nobody else has an id that was just made: the duplicate is this very document, sent before.
            if error.code == .duplicateID, let id = document.madeID { return id }
            throw error
        }
    }

    private func insertBatch(
        _ documents: ArraySlice<Prepared>, _ server: Negotiated, ordered: Bool, options: CallOptions
    ) async -> [Result<DocumentID, NexaError>] {
        var writer = MessagePackWriter(capacity: documents.reduce(8) { $0 + $1.encoded.count })
        writer.writeArrayHead(count: documents.count)
        for document in documents { writer.writeRaw(document.encoded) }
        let request = Request.insertMany(
            .init(namespace: namespace, documents: writer.bytes, durability: options.wireDurability))
        let made = documents.compactMap(\.madeID)
        let isAtomic = server.granted.contains(.atomicBatches)
        do throws(NexaError) {
            let reply = try await core.reply(
                to: request, operation: "insert", options: options,
                requiring: documents.reduce(into: []) { $0.formUnion($1.required) },
                isIdempotent: isAtomic && made.count == documents.count)
            let ids = (try reply.fields()["document_ids"]?.array ?? []).compactMap(DocumentID.init)
            guard ids.count == documents.count else {
                throw reply.malformed("\(ids.count) ids for \(documents.count) documents")
            }
            return ids.map { .success($0) }
        } catch {
            if error.code == .duplicateID, made.count == documents.count { return made.map { .success($0) } }
            // A refusal of an original server says nothing of the documents before the bad one.
            guard isAtomic, error.delivery == .answered, error.isAboutOneDocument, documents.count > 1 else {
                let told = isAtomic || error.delivery != .answered ? error : error.asMaybeExecuted
                return documents.map { _ in .failure(told) }
            }
            return await insertOneByOne(documents, ordered: ordered, options: options)
        }
    }

    func insertOneByOne(
        _ documents: ArraySlice<Prepared>, ordered: Bool, options: CallOptions
    ) async -> [Result<DocumentID, NexaError>] {
        var outcomes: [Result<DocumentID, NexaError>] = []
        outcomes.reserveCapacity(documents.count)
        for document in documents {
            do throws(NexaError) {
                outcomes.append(.success(try await insert(document, options: options)))
            } catch {
                outcomes.append(.failure(error))
                if ordered || !error.isAboutOneDocument { break }
            }
        }
        // What was not tried failed for the reason of the last one.
        if case .failure(let error)? = outcomes.last {
            outcomes += Array(repeating: .failure(error.asNotSent), count: documents.count - outcomes.count)
        }
        return outcomes
    }
}

extension NexaError {
    /// Refusals that another document might not meet.
    var isAboutOneDocument: Bool {
        code == .duplicateID || code == .invalidRequest || code == .limitExceeded
    }

    fileprivate var asNotSent: NexaError { with(.notSent, "Not sent, because an earlier document failed: \(message)") }
    fileprivate var asMaybeExecuted: NexaError { with(.maybeExecuted, message) }

    private func with(_ delivery: Delivery, _ message: String) -> NexaError {
        NexaError(
            code, message, delivery: delivery, operation: operation, endpoint: endpoint, serverMessage: serverMessage,
            underlying: underlying)
    }
}
