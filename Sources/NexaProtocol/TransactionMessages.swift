extension Request {
    /// BEGIN_TRANSACTION: everything behind it on the connection belongs to the transaction, until COMMIT or ABORT.
    public struct BeginTransaction: Sendable, Hashable {
        /// Aborted when it takes longer, in milliseconds; `nil` for the server's limit, which it cannot exceed.
        public var maximumMilliseconds: Int?
        /// The first requests of the transaction follow without waiting for the reply. When it cannot begin, the server
        /// refuses them with the same error, until COMMIT or ABORT: none may be carried out by itself.
        public var isPipelined: Bool

        /// Creates the message.
        public init(maximumMilliseconds: Int? = nil, isPipelined: Bool = false) {
            self.maximumMilliseconds = maximumMilliseconds
            self.isPipelined = isPipelined
        }
    }

    /// COMMIT_TRANSACTION.
    public struct CommitTransaction: Sendable, Hashable {
        /// How safe before the reply; `nil` for the server's default.
        public var durability: Durability?

        /// Creates the message.
        public init(durability: Durability? = nil) { self.durability = durability }
    }
}

extension Request.BeginTransaction {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init(maximumMilliseconds: try fields.count("max_time_ms"), isPipelined: fields.isTrue("pipelined"))
    }
}

extension Request.CommitTransaction {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init(durability: try fields.durability())
    }
}
