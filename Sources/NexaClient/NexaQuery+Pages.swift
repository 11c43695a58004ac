import NexaProtocol
public import NexaValue

/// Some documents of a query in the form in which they came: one piece of memory, and nothing decoded.
public struct EncodedPage: Sendable {
    private let bytes: [UInt8]
    private let start: Int
    private let ends: [Int]
    /// Where the next page begins.
    let next: [UInt8]?
    /// How many documents this page and those before it have.
    let total: Int

    /// The number of documents.
    public var count: Int { ends.count }
    /// Whether no page follows.
    public var isLast: Bool { next == nil }
    /// The bytes that the documents take.
    public var byteCount: Int { (ends.last ?? start) - start }

    /// Reads where the documents of a list end.
    init(_ reply: Answer, at offset: Int, next: [UInt8]?, before: Int) throws(NexaError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(reply.payload.span.bytes, at: offset)
            let count = try reader.readArrayHead()
            start = reader.position
            var ends: [Int] = []
            ends.reserveCapacity(count)
            for _ in 0..<count {
                try reader.skip()
                ends.append(reader.position)
            }
            self.ends = ends
        } catch {
            throw reply.malformed("\(error)")
        }
        bytes = reply.payload
        self.next = next
        total = before + ends.count
    }

    /// Gives each document to `body`, as one map of MessagePack.
    public func forEach<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        var start = start
        for end in ends {
            try body(bytes.span.bytes.extracting(start..<end))
            start = end
        }
    }

    /// The documents, decoded.
    ///
    /// - Throws: `MessagePackError` for a document that nests deeper than values may.
    public func documents() throws(MessagePackError) -> [Document] {
        var documents: [Document] = []
        documents.reserveCapacity(count)
        try forEach { (document) throws(MessagePackError) in
            documents.append(try MessagePack.decodeDocument(document))
        }
        return documents
    }
}

extension NexaQuery where Element == Document {
    /// Fetches the page behind another one, or the first: for programs that pass documents on without looking at them.
    ///
    /// ```swift
    /// var page = try await films.find().page()
    /// page.forEach { document in … }
    /// while !page.isLast { page = try await films.find().page(after: page) … }
    /// ```
    ///
    /// The next page may be fetched while this one is worked on. An original server sends whole documents, whatever
    /// fields were selected.
    /// - Throws: `NexaError` when the request fails.
    public func page(after previous: EncodedPage? = nil) async throws(NexaError) -> EncodedPage {
        let before = previous?.total ?? 0
        let remaining = limitCount.map { Swift.max(0, $0 - before) }
        let (reply, next, _) = try await fetchReply(after: previous?.next, remaining: remaining)
        guard let start = try reply.offset("documents") else { throw reply.malformed("it lacks 'documents'") }
        let page = try EncodedPage(reply, at: start, next: next, before: before)
        guard let limitCount, page.total >= limitCount, next != nil else { return page }
        return try EncodedPage(reply, at: start, next: Optional<[UInt8]>.none, before: before)
    }
}
