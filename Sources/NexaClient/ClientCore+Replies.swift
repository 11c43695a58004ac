import NexaProtocol
import NexaValue

/// A reply that is not an error.
struct Answer: Sendable {
    /// False for NOT_FOUND.
    var isFound: Bool
    var payload: [UInt8]
    var operation: StaticString
    var endpoint: String?

    /// The decoded fields.
    func fields() throws(NexaError) -> Document {
        do throws(MessagePackError) {
            return try MessagePack.decodeDocument(payload)
        } catch {
            throw malformed("\(error)")
        }
    }

    /// The bytes of one field's value, or `nil` when the reply lacks it.
    func encoded(_ key: String) throws(NexaError) -> [UInt8]? {
        do throws(MessagePackError) {
            let document = try RawDocument(payload.span.bytes)
            guard let value = document.value(forKey: key) else { return nil }
            return value.bytes.withUnsafeBytes { Array($0) }
        } catch {
            throw malformed("\(error)")
        }
    }

    /// Where one field's value begins, or `nil` when the reply lacks it.
    func offset(_ key: String) throws(NexaError) -> Int? {
        do throws(MessagePackError) {
            return try RawDocument(payload.span.bytes).value(forKey: key)?.offset
        } catch {
            throw malformed("\(error)")
        }
    }

    /// The model at an offset, read from the reply's bytes.
    func model<Model: Decodable>(
        _ type: Model.Type, at offset: Int, _ coding: ModelCoding
    ) throws(NexaError) -> Model {
        guard type == Document.self else { return try EncodedDecoder.decode(type, payload, at: offset, coding) }
        do throws(MessagePackError) {
            var reader = MessagePackReader(payload.span.bytes, at: offset)
            if let document = try reader.readDocument() as? Model { return document }
        } catch {
            throw malformed("\(error)")
        }
        return try EncodedDecoder.decode(type, payload, at: offset, coding)
    }

    /// The document at an offset and where it ends; `nil` when it cannot be read.
    func readableDocument(at offset: Int) -> (document: Document, end: Int)? {
        var reader = MessagePackReader(payload.span.bytes, at: offset)
        guard let document = try? reader.readDocument() else { return nil }
        return (document, reader.position)
    }

    /// A list of names.
    func names(_ key: String) throws(NexaError) -> [String] {
        guard let names = try fields()[key]?.array else { throw malformed("the reply lacks '\(key)'") }
        return names.compactMap(\.string)
    }

    /// The id in a field, as text.
    func id(_ key: String) throws(NexaError) -> DocumentID {
        guard let id = try fields()[key].flatMap(DocumentID.init) else { throw malformed("the reply lacks '\(key)'") }
        return id
    }

    func malformed(_ what: String) -> NexaError {
        NexaError(
            .protocolViolation, "The server's reply cannot be read: \(what)", delivery: .answered,
            operation: "\(operation)", endpoint: endpoint)
    }
}

extension DocumentID {
    /// The id that a value stands for: a string as it is, an integer in decimal.
    init?(_ value: Value) {
        switch value {
        case .string(let text): self.init(text)
        case .int(let number): self.init("\(number)")
        default: return nil
        }
    }

    /// As it is sent. The server finds an integer id by its decimal text, too.
    var wireValue: Value { .string(rawValue) }
}

/// A reply as it came.
struct RawReply: Sendable {
    var type: MessageType
    var payload: [UInt8]
    var server: Negotiated
    /// An earlier attempt may have been executed: an error that answers a later one does not mean that nothing was.
    var mayHaveRun = false

    /// What it answers, or the error that it is.
    func answer(_ operation: StaticString) throws(NexaError) -> Answer {
        switch type {
        case .success, .pong:
            return Answer(isFound: true, payload: payload, operation: operation, endpoint: server.endpoint)
        case .notFound:
            return Answer(isFound: false, payload: payload, operation: operation, endpoint: server.endpoint)
        case .error, .duplicate:
            let fields = (try? MessagePack.decodeDocument(payload)) ?? [:]
            let code = fields["code"]?.string.map(ServerErrorCode.init(rawValue:))
            var error = NexaError(
                reply: fields["error"]?.string ?? "", code: type == .duplicate ? .duplicateID : code,
                operation: "\(operation)", endpoint: server.endpoint)
            if mayHaveRun { error.delivery = .maybeExecuted }
            throw error
        default:
            throw NexaError(
                .protocolViolation, "The server answered with a frame of type \(type)", delivery: .answered,
                operation: "\(operation)", endpoint: server.endpoint)
        }
    }
}

extension ClientCore {
    /// Sends a request and turns an ERROR reply into a thrown error.
    ///
    /// - Parameter wantsPayload: false when nobody looks at the fields of a good reply: they are left out then.
    nonisolated(nonsending) func reply(
        to request: Request, operation: StaticString, options: CallOptions,
        requiring more: RequiredCapabilities = [], isIdempotent: Bool = false, wantsPayload: Bool = true
    ) async throws(NexaError) -> Answer {
        let start = MonotonicInstant.now
        let driver = try driver(operation)
        let call = driver.spareCalls.take(times(from: start, options))
        try encode(request, into: call, operation, options)
        let isObserved = telemetry.wantsOperations(options.log)
        let traits = Traits(
            operation: operation, required: request.requiredCapabilities.union(more),
            isIdempotent: mayRepeat(request, isIdempotent, options), wantsPayload: wantsPayload || isObserved)
        guard isObserved else {
            let reply = try await send(call, on: driver, traits, options, start: start)
            driver.spareCalls.give(consume call)
            return try reply.answer(operation)
        }
        let bytesOut = call.frame.count
        var bytesIn = 0
        do throws(NexaError) {
            let reply = try await send(call, on: driver, traits, options, start: start)
            driver.spareCalls.give(consume call)
            bytesIn = FrameHeader.byteCount + reply.payload.count
            let answer = try reply.answer(operation)
            finished(operation, start, bytesOut, bytesIn, nil, options)
            return answer
        } catch {
            finished(operation, start, bytesOut, bytesIn, error, options)
            throw error
        }
    }

    func finished(
        _ operation: StaticString, _ start: MonotonicInstant, _ bytesOut: Int, _ bytesIn: Int,
        _ error: NexaError?, _ options: CallOptions
    ) {
        let elapsed = MonotonicInstant.now - start
        telemetry.emit(
            .operationFinished(
                name: operation, elapsed: elapsed, bytesOut: bytesOut, bytesIn: bytesIn, error: error),
            log: options.log)
    }
}
