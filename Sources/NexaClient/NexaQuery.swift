import NexaProtocol
public import NexaValue

/// The documents that a filter means: a value to refine, then to iterate or collect.
///
/// Iterating fetches pages as they are needed: memory holds one page, whatever the size of the result. A
/// sorted query is one request, because the server must sort it whole, unless an index has its order. Each
/// iteration is a query of its own, and each page sees the documents as they are when it is fetched.
public struct NexaQuery<Element: NexaModel>: AsyncSequence, Sendable {
    /// What iterating throws.
    public typealias Failure = NexaError

    let core: ClientCore
    let namespace: Request.Namespace
    let filter: Filter
    private var sortKeys: [Sort] = []
    var limitCount: Int?
    private var skipCount = 0
    private var selected: [String] = []
    private var projection = Document()
    private var hinted: String?
    var callOptions = CallOptions.standard
    private let coding: ModelCoding

    init(core: ClientCore, namespace: Request.Namespace, filter: Filter, coding: ModelCoding = .standard) {
        self.coding = coding
        self.core = core
        self.namespace = namespace
        self.filter = filter
    }

    /// Orders the documents; without it they come as the server finds them: in the order of their ids, or of an index.
    public func sort(_ keys: Sort...) -> Self { sort(keys) }

    /// Orders the documents by keys that are only known at run time.
    public func sort(_ keys: [Sort]) -> Self { with { $0.sortKeys = keys } }

    /// Returns at most so many documents; without it, all of them.
    public func limit(_ count: Int) -> Self { with { $0.limitCount = Swift.max(0, count) } }

    /// Passes over so many documents first.
    public func skip(_ count: Int) -> Self { with { $0.skipCount = Swift.max(0, count) } }

    /// Returns only some fields (and `_id`), as free documents.
    public func select(_ paths: String...) -> NexaQuery<Document> { select(paths) }

    /// Returns only some fields (and `_id`) that are only known at run time.
    public func select(_ paths: [String]) -> NexaQuery<Document> {
        var query = ofDocuments
        query.selected = paths
        return query
    }

    /// Returns what a projection in MongoDB's language leaves and makes of the documents, as free documents.
    ///
    /// - `["title": 1, "cast.name": 1]` returns these fields and `_id`, `["plot": 0]` all others.
    /// - `["cast": ["$slice": 3]]` (or `-3`, or `[skip, count]`) returns some elements of an array.
    /// - `["cast": ["$elemMatch": ["name": "Ada"]]]` returns the first element that fulfils the conditions.
    /// - `["age": ["$subtract": [2026, "$year"]]]` returns the value of an expression.
    ///
    /// It replaces `select`. A mistake in it is an error with the code `invalidRequest` before anything is read.
    public func project(_ projection: Document) -> NexaQuery<Document> {
        var query = ofDocuments
        query.projection = projection
        return query
    }

    /// The query for free documents, without the fields that were chosen.
    private var ofDocuments: NexaQuery<Document> {
        var query = NexaQuery<Document>(core: core, namespace: namespace, filter: filter)
        query.sortKeys = sortKeys
        query.limitCount = limitCount
        query.skipCount = skipCount
        query.callOptions = callOptions
        query.hinted = hinted
        return query
    }

    /// Makes the server use the index with a name, or none (`_id_`), in place of the one that it would choose.
    ///
    /// The query fails when there is no such index, or when it lacks documents that the filter means.
    public func hint(_ index: String) -> Self { with { $0.hinted = index } }

    /// How each of the requests is made.
    public func options(_ options: CallOptions) -> Self { with { $0.callOptions = options } }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var query = self
        change(&query)
        return query
    }

    /// The first document, or `nil` when there is none.
    ///
    /// - Throws: `NexaError` when the call fails or the document does not fit the model.
    public func first() async throws(NexaError) -> Element? {
        var iterator = limit(Swift.min(limitCount ?? 1, 1)).makeAsyncIterator()
        return try await iterator.next()
    }

    /// All documents in an array.
    ///
    /// - Parameter bound: more documents than this are an error, so that a careless filter cannot fill the memory.
    /// - Throws: `NexaError`: `.limitExceeded` when there are more than `bound`.
    @_specialize(where Element == Document)
    public func collect(upTo bound: Int = 10_000) async throws(NexaError) -> [Element] {
        var result: [Element] = []
        var iterator = makeAsyncIterator()
        // What of a page is left is at hand without waiting.
        while let first = try await iterator.next() {
            var element: Element? = first
            while let found = element {
                guard result.count < bound else {
                    throw NexaError(
                        .limitExceeded,
                        "The query has more than \(bound) documents; use limit(_:), or collect(upTo:) with more",
                        delivery: .answered, operation: "find")
                }
                result.append(found)
                element = try iterator.nextOfPage()
            }
        }
        return result
    }

    /// Starts a query of its own.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(query: self) }

    /// Fetches pages as they are needed.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// What `next` throws.
        public typealias Failure = NexaError

        fileprivate let query: NexaQuery
        private var page = Page()
        private var after: [UInt8]?
        private var returned = 0
        private var isLastPage = false

        fileprivate init(query: NexaQuery) { self.query = query }

        /// The next document, or `nil` at the end.
        ///
        /// - Throws: `NexaError` when a request fails or a document does not fit the model.
        public mutating func next() async throws(NexaError) -> Element? {
            try await next(isolation: nil)
        }

        /// The next document of the page at hand, or `nil` when it has no more.
        @_specialize(where Element == Document)
        mutating func nextOfPage() throws(NexaError) -> Element? {
            if let limit = query.limitCount, returned >= limit { return nil }
            guard let element = try page.next(Element.self, query.coding) else { return nil }
            returned += 1
            return element
        }

        /// The next document, or `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(NexaError) -> Element? {
            if let limit = query.limitCount, returned >= limit { return nil }
            while true {
                if let element = try page.next(Element.self, query.coding) {
                    returned += 1
                    return element
                }
                guard !isLastPage else { return nil }
                let remaining = query.limitCount.map { $0 - returned }
                (page, after) = try await query.fetch(after: after, remaining: remaining)
                isLastPage = after == nil
            }
        }
    }
}

extension NexaQuery {
    /// One page of encoded documents, decoded one by one by whoever consumes them.
    struct Page: Sendable {
        private var reply: Answer?
        private var position = 0
        private var left = 0
        /// The fields to keep; empty for all.
        private var kept: [String] = []

        init() {}

        init(_ reply: Answer, keeping kept: [String] = []) throws(NexaError) {
            self.kept = kept
            guard let start = try reply.offset("documents") else { throw reply.malformed("it lacks 'documents'") }
            do throws(MessagePackError) {
                var reader = MessagePackReader(reply.payload.span.bytes, at: start)
                left = try reader.readArrayHead()
                position = reader.position
            } catch {
                throw reply.malformed("\(error)")
            }
            self.reply = reply
        }

        /// The fields at these paths and `_id`; nested ones in documents of their own, as a server returns them.
        private static func selection(of paths: [String], from document: Document) -> Document {
            var result = Document()
            for path in ["_id"] + paths {
                guard let value = document[path: path] else { continue }
                let parts = path.split(separator: ".").map(String.init)
                result.set(value, at: parts[...])
            }
            return result
        }

        @_specialize(where Element == Document)
        mutating func next(_ type: Element.Type, _ coding: ModelCoding) throws(NexaError) -> Element? {
            guard left > 0, let reply else { return nil }
            let start = position
            left -= 1
            // One that cannot be read is passed over below.
            if kept.isEmpty, type == Document.self, let (document, end) = reply.readableDocument(at: position),
                let element = document as? Element
            {
                position = end
                return element
            }
            do throws(MessagePackError) {
                var reader = MessagePackReader(reply.payload.span.bytes, at: position)
                try reader.skip()
                position = reader.position
            } catch {
                left = 0
                throw reply.malformed("\(error)")
            }
            guard !kept.isEmpty else { return try reply.model(type, at: start, coding) }
            return try Self.selection(of: kept, from: reply.model(Document.self, at: start, coding))
                .decode(type, coding: coding)
        }
    }

    /// Fetches the page behind `after`; returns it with the place where the next one begins.
    fileprivate func fetch(after: [UInt8]?, remaining: Int?) async throws(NexaError) -> (Page, next: [UInt8]?) {
        let (reply, next, isWhole) = try await fetchReply(after: after, remaining: remaining)
        return (try Page(reply, keeping: isWhole ? selected : []), next)
    }

    /// The reply with the page behind `after`, the place where the next one begins, and whether its documents are whole
    /// although fields were selected.
    func fetchReply(
        after: [UInt8]?, remaining: Int?
    ) async throws(NexaError) -> (reply: Answer, next: [UInt8]?, isWhole: Bool) {
        let server = try await core.negotiated(options: callOptions)
        guard server.granted.contains(.queryOptions) else {
            return (try await fetchFromOriginal(server), nil, true)
        }
        if hinted != nil, !server.granted.contains(.indexes) {
            throw NexaError.lacking([.indexes], server).during("find")
        }
        var request = request(remaining: remaining, after: after)
        // A server with indexes may have the order in one: then there are pages, too.
        if sortKeys.isEmpty || server.granted.contains(.indexes) { request.page = .init() }
        let reply = try await core.reply(to: .query(request), operation: "find", options: callOptions)
        return (reply, try reply.encoded("next").flatMap(Self.bytes), false)
    }

    /// The query as a message.
    func request(remaining: Int?, after: [UInt8]?) -> Request.Query {
        var request = Request.Query(namespace: namespace, filter: filter.document, limit: remaining ?? 0)
        request.skip = after == nil ? skipCount : 0
        request.sort =
            sortKeys.isEmpty
            ? .null : .array(sortKeys.map { [.string($0.path), .int(Int64($0.direction.rawValue))] })
        request.projection = projection.isEmpty ? Document(selected.map { ($0, 1) }) : projection
        request.after = after
        request.hint = hinted
        return request
    }

    private static func bytes(_ encoded: [UInt8]) -> [UInt8]? { (try? MessagePack.decode(encoded))?.bytes }

    /// An original server knows one QUERY with a limit. What it would ignore or answer wrongly is refused
    /// here, and `select` is done by who reads the reply.
    private func fetchFromOriginal(_ server: Negotiated) async throws(NexaError) -> Answer {
        if !sortKeys.isEmpty || skipCount > 0 || !projection.isEmpty {
            throw NexaError.lacking([.queryOptions], server).during("find")
        }
        let limit = limitCount ?? Request.Query.originalMaximumLimit
        let request = Request.Query(namespace: namespace, filter: filter.document, limit: limit)
        return try await core.reply(to: .query(request), operation: "find", options: callOptions)
    }
}

extension Request.Query {
    /// "All" for an original server, which takes every limit as it is, and 0 as "at most one".
    static var originalMaximumLimit: Int { 1_000_000_000 }
}

extension Document {
    fileprivate mutating func set(_ value: Value, at path: ArraySlice<String>) {
        guard let first = path.first else { return }
        if path.count == 1 {
            self[first] = .some(value)
        } else {
            var inner = self[first]?.document ?? Document()
            inner.set(value, at: path.dropFirst())
            self[first] = .some(.document(inner))
        }
    }
}
