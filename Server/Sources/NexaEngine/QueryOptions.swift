import NexaQuery
import NexaValue

/// What a query returns of the documents that it finds, and how much it may take.
public struct QueryOptions: Sendable {
    /// The size of one page of a result that is fetched in pages.
    public struct Page: Sendable, Hashable {
        /// At most so many documents.
        public var documents: Int
        /// Ends behind the document that reaches so many bytes.
        public var bytes: Int

        /// Creates a page size.
        public init(documents: Int, bytes: Int) {
            self.documents = documents
            self.bytes = bytes
        }
    }

    /// At most so many documents; 0 for all of them.
    public var limit = 0
    /// Passes over so many documents first. Not applied again to a page that begins at `after`.
    public var skip = 0
    /// `{field: 1 or -1, …}` or pairs in an array; `.null` for the order of ids.
    public var sort = Value.null
    /// Which fields to return; empty for all of them.
    public var projection: Document = [:]
    /// Only the number of documents is wanted.
    public var isCountOnly = false
    /// Ends the result early, with a place to go on from. Has no effect on sorted results, which come whole, unless
    /// an index has their order.
    public var page: Page?
    /// Goes on behind the document at which a page ended: its `next`.
    public var after: [UInt8]?
    /// The name of the index to use; `_id_` or `$natural` for none.
    public var hint: String?
    /// Reads what this transaction sees: the state of its beginning, and its own writes. A page is not ended early
    /// then, and without `sort` the documents that it wrote come last.
    public var transaction: Transaction?
    /// A result above so many bytes is an error. Default 64 MiB.
    public var maximumResultBytes = 64 << 20
    /// A sort that has to keep more than so many bytes is an error. Default 256 MiB.
    public var maximumSortBytes = 256 << 20

    /// Creates options for all documents, whole, in the order of their ids.
    public init() {}

    func check() throws(EngineError) {
        guard limit >= 0, skip >= 0 else { throw EngineError(.badRequest, "limit and skip cannot be negative") }
        guard page.map({ $0.documents > 0 && $0.bytes > 0 }) ?? true else {
            throw EngineError(.badRequest, "a page needs a positive number of documents and bytes")
        }
        guard (after?.count ?? 0) <= EngineLimits.maximumPlaceBytes else {
            throw EngineError(.badRequest, "'after' is not a place at which a page ended")
        }
    }
}

extension EngineError {
    init(_ error: QueryError) {
        switch error.code {
        case .limitExceeded: self.init(.limit, error.message)
        case .corruptDocument: self.init(.storage, error.message, advice: "Restore the data directory from a backup")
        default: self.init(.badRequest, error.message)
        }
    }
}

/// Runs query code in the engine's terms.
func translatingQuery<Success>(_ body: () throws(QueryError) -> Success) throws(EngineError) -> Success {
    do throws(QueryError) { return try body() } catch { throw EngineError(error) }
}
