public import NexaValue

/// How a request that may take long can be ended early: fields beside its own, with the capability `cancellation`.
///
/// A server without it ignores them.
public struct RequestControl: Sendable, Hashable {
    /// By which CANCEL names the request; unique among those on their way on a connection.
    public var tag: UInt64?
    /// The server stops, and answers with an error, when the request takes longer.
    public var maximumMilliseconds: Int?

    /// Creates the fields.
    public init(tag: UInt64? = nil, maximumMilliseconds: Int? = nil) {
        self.tag = tag
        self.maximumMilliseconds = maximumMilliseconds
    }
}

extension RequestControl {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init(tag: try fields.count("tag").map(UInt64.init), maximumMilliseconds: try fields.count("max_time_ms"))
    }
}

extension Request {
    /// Whether a server may work on it for so long that ending it early is worth a message.
    public var mayTakeLong: Bool { Self.mayTakeLong(type) }

    static func mayTakeLong(_ type: MessageType) -> Bool {
        switch type {
        case .query, .aggregate, .distinct, .explain, .updateMany, .deleteMany, .findAndModify, .bulkWrite,
            .importMongoDatabase, .importMongoCollection, .vectorSearch,
            .queryTOON, .exportTOON, .importTOON:
            true
        default: false
        }
    }

    /// Appends the request as a whole frame, with the control fields beside its own.
    public func encodeFrame(into writer: inout MessagePackWriter, control: RequestControl) {
        let start = writer.beginFrame(type)
        let map = writer.count
        encodePayload(into: &writer)
        if let tag = control.tag, writer.extendMap(at: map) { writer.write(key: "tag", .int(Int64(clamping: tag))) }
        if let limit = control.maximumMilliseconds, writer.extendMap(at: map) {
            writer.write(key: "max_time_ms", .int(Int64(limit)))
        }
        writer.endFrame(start)
    }

    /// Appends the CANCEL of a request with a tag. It has no reply.
    public static func encodeCancel(tag: UInt64, into writer: inout MessagePackWriter) {
        let start = writer.beginFrame(.cancel)
        writer.writeMapHead(count: 1)
        writer.write(key: "tag", .int(Int64(clamping: tag)))
        writer.endFrame(start)
    }

    /// The tag in the payload of a CANCEL; `nil` when there is none.
    public static func canceledTag(_ payload: RawSpan) -> UInt64? {
        guard let fields = try? RequestFields(payload) else { return nil }
        return (try? fields.count("tag")).flatMap { $0 }.map(UInt64.init)
    }
}
