import NexaProtocol

/// What went wrong in a call: a code to act on, a sentence to read, and whether the request may have been executed.
///
/// `description` never contains documents, ids or credentials, so it may go to any log; what the server said
/// is in `serverMessage` and in `debugDescription`.
public struct NexaError: Error, Sendable {
    /// A kind of failure. More kinds may come, so a `switch` over codes needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        enum Base: String, Sendable {
            case invalidConfiguration, connectFailed, tlsFailed, authenticationFailed, poolExhausted, connectionLost,
                timedOut
            case cancelled, permissionDenied, notFound, duplicateID, duplicateKey, writeConflict,
                noTransaction
            case invalidRequest, limitExceeded, overloaded, server
            case protocolViolation, frameTooLarge, encoding, decoding, unsupported, changeHistoryLost, shutDown
        }

        let base: Base

        /// The name of the code.
        public var description: String { base.rawValue }

        /// The configuration or the URI cannot be used.
        public static let invalidConfiguration = Code(base: .invalidConfiguration)
        /// No endpoint could be reached.
        public static let connectFailed = Code(base: .connectFailed)
        /// No encrypted connection could be made; the message says what is wrong with the certificate or the server.
        public static let tlsFailed = Code(base: .tlsFailed)
        /// The server refused the user name and password.
        public static let authenticationFailed = Code(base: .authenticationFailed)
        /// No connection became free in time, or too many callers wait already.
        public static let poolExhausted = Code(base: .poolExhausted)
        /// The connection broke while the call was on its way.
        public static let connectionLost = Code(base: .connectionLost)
        /// The deadline of the call passed.
        public static let timedOut = Code(base: .timedOut)
        /// The task was cancelled.
        public static let cancelled = Code(base: .cancelled)
        /// The user may not do this.
        public static let permissionDenied = Code(base: .permissionDenied)
        /// There is no such collection or database. (A missing document is `nil` or `false`, not an error.)
        public static let notFound = Code(base: .notFound)
        /// A document with this `_id` is there already.
        public static let duplicateID = Code(base: .duplicateID)
        /// A unique index has another document with the same values; nothing was changed.
        public static let duplicateKey = Code(base: .duplicateKey)
        /// Someone else changed a document of the transaction; `withTransaction` tries again by itself.
        public static let writeConflict = Code(base: .writeConflict)
        /// The transaction is over: it took too long, or was aborted.
        public static let noTransaction = Code(base: .noTransaction)
        /// The server found the request malformed, such as a filter with an unknown operator.
        public static let invalidRequest = Code(base: .invalidRequest)
        /// A limit of the server was reached; its message names it.
        public static let limitExceeded = Code(base: .limitExceeded)
        /// The server has too much to do.
        public static let overloaded = Code(base: .overloaded)
        /// The server failed, or an original server gave an error without a code.
        public static let server = Code(base: .server)
        /// The peer sent something that is not NexaDB's protocol.
        public static let protocolViolation = Code(base: .protocolViolation)
        /// A request or a reply is larger than a frame may be.
        public static let frameTooLarge = Code(base: .frameTooLarge)
        /// The model or value cannot be written as a document.
        public static let encoding = Code(base: .encoding)
        /// The document cannot be read as the model.
        public static let decoding = Code(base: .decoding)
        /// The connected server would ignore this or answer it wrongly, so it was not sent.
        public static let unsupported = Code(base: .unsupported)
        /// The server has not kept the changes behind a resume token, or the token is of other data: read the
        /// documents again and watch from now on.
        public static let changeHistoryLost = Code(base: .changeHistoryLost)
        /// The client was shut down.
        public static let shutDown = Code(base: .shutDown)
    }

    /// Did the request reach the server? The one fact a retry decision needs.
    public enum Delivery: String, Sendable, Hashable {
        /// No byte of it left: it is safe to try again.
        case notSent
        /// It left, and no answer came back: it may have been executed.
        case maybeExecuted
        /// The server answered: this is its answer.
        case answered
    }

    /// The kind of failure.
    public let code: Code
    /// Whether the request may have been executed.
    public internal(set) var delivery: Delivery
    /// One sentence: what happened, and what to do about it.
    public let message: String
    /// The call, such as `insert`.
    public internal(set) var operation: String?
    /// The server, as `host:port`.
    public internal(set) var endpoint: String?
    /// What the server said, word for word. It may name ids and field names.
    public let serverMessage: String?
    /// The error beneath, such as that of a model's `init(from:)`.
    public let underlying: (any Error)?

    /// Creates an error; tests of your own code may want to.
    public init(
        _ code: Code, _ message: String, delivery: Delivery = .notSent, operation: String? = nil,
        endpoint: String? = nil, serverMessage: String? = nil, underlying: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.delivery = delivery
        self.operation = operation
        self.endpoint = endpoint
        self.serverMessage = serverMessage
        self.underlying = underlying
    }

    /// True when nothing was sent, so that trying again cannot execute anything twice.
    public var isSafeToRetry: Bool { delivery == .notSent }
}

extension NexaError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Code, call, server and sentence; no data.
    public var description: String {
        var text = "\(code)"
        if let operation { text += " in \(operation)" }
        if let endpoint { text += " at \(endpoint)" }
        return "\(text): \(message) (delivery: \(delivery.rawValue))"
    }

    /// As `description`, and what the server said and the error beneath.
    public var debugDescription: String {
        var text = description
        if let serverMessage { text += "\n  server: \(serverMessage)" }
        if let underlying { text += "\n  cause: \(String(reflecting: underlying))" }
        return text
    }
}

extension NexaError {
    /// The error for an ERROR reply.
    init(reply message: String, code: ServerErrorCode?, operation: String, endpoint: String?) {
        let (kind, sentence) = Self.meaning(of: code ?? Self.guessed(from: message))
        self.init(
            kind, sentence, delivery: .answered, operation: operation, endpoint: endpoint, serverMessage: message)
    }

    private static func meaning(of code: ServerErrorCode?) -> (Code, String) {
        switch code {
        case .duplicateID?:
            (.duplicateID, "A document with this _id exists already; choose another _id or update the document")
        case .duplicateKey?:
            (.duplicateKey, "A unique index has another document with the same values; serverMessage names the index")
        case .writeConflict?:
            (.writeConflict, "Someone else changed a document of the transaction; run the whole transaction again")
        case .noTransaction?:
            (.noTransaction, "The transaction is over; serverMessage says why. Run it again, in less time")
        case .cancelled?: (.timedOut, "The server stopped the request; serverMessage says why")
        case .badRequest?: (.invalidRequest, "The server refused the request; serverMessage says what is wrong with it")
        case .notAuthenticated?: (.authenticationFailed, "The server refused the user name or the password")
        case .tlsRequired?: (.tlsFailed, "The server wants TLS on this port; set tls in the configuration or tls=true")
        case .permissionDenied?: (.permissionDenied, "The user may not do this; ask for a role that may")
        case .notFound?: (.notFound, "There is no such collection or database")
        case .unsupported?: (.unsupported, "The server does not know this message or option")
        case .limit?: (.limitExceeded, "A limit of the server was reached; serverMessage names it")
        case .overloaded?: (.overloaded, "The server has too much to do; try again in a moment")
        case .historyLost?:
            (
                .changeHistoryLost,
                "The server has not kept the changes behind the token; read the documents again and watch from now on"
            )
        case .shuttingDown?: (.connectionLost, "The server is shutting down; try again in a moment")
        default: (.server, "The server failed; serverMessage says why")
        }
    }

    /// Original servers send no code, only one of a few texts that existing clients rely on.
    private static func guessed(from message: String) -> ServerErrorCode? {
        if message.hasPrefix("Permission denied") { return .permissionDenied }
        if message.hasPrefix("Invalid username or password") || message.hasPrefix("Not authenticated") {
            return .notAuthenticated
        }
        if message.hasPrefix("Unknown message type") { return .unsupported }
        if message.hasPrefix("Missing ") { return .badRequest }
        if message.hasSuffix("not found") || message.contains("' not found in ") { return .notFound }
        return nil
    }
}
