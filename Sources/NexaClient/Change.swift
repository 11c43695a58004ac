import NexaProtocol
public import NexaValue

/// What can happen to documents.
public enum ChangeKind: String, Sendable, Hashable, CaseIterable {
    /// A document was inserted.
    case insert
    /// Fields of a document were set.
    case update
    /// A document was deleted.
    case delete
    /// A collection was dropped, alone or with its database.
    case dropCollection
    /// A database was dropped.
    case dropDatabase
}

/// A place in the order of all changes of one server's data: store it, and watch from there after a restart.
///
/// What is in it is the server's business. As text, and to `Codable`, it is a word of hexadecimal digits.
public struct ResumeToken: Sendable, Hashable, Codable, LosslessStringConvertible {
    let bytes: [UInt8]

    private static let maximumByteCount = 256

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the text of a token; `nil` when it is none.
    public init?(_ description: String) {
        let digits = description.utf8.map(Self.number)
        guard digits.count.isMultiple(of: 2), !digits.isEmpty, digits.count <= 2 * Self.maximumByteCount else {
            return nil
        }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(bytes)
    }

    private static func number(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x57
        case 0x41...0x46: digit - 0x37
        default: nil
        }
    }

    /// The token as text.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Reads the text of a token.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let token = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a resume token")
        }
        self = token
    }

    /// Writes the token as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Where a change stream begins.
public enum ChangeStart: Sendable, Hashable {
    /// With the subscription, that is when the stream's iterator is first asked for a change, or told to `begin`.
    case now
    /// Behind the change of a token. The server keeps changes for a time (24 hours unless told otherwise).
    case after(ResumeToken)
}

/// Something that happened to documents.
public enum Change<Model: NexaModel>: Sendable {
    /// A document was inserted.
    case inserted(DocumentID, Model)
    /// Fields of a document were set or removed; `changed` are the new values of top-level fields, `full` is the
    /// document right after.
    case updated(DocumentID, changed: Document, removed: [String] = [], full: Model?)
    /// A document was deleted.
    case deleted(DocumentID)
    /// The collection was dropped with all its documents; or the database, in a stream of databases.
    case dropped
    /// The stream was interrupted and changes may be missing: read the documents again, then go on.
    ///
    /// Only with servers that keep no history. The token is that of the last change before, if it had one.
    case gap(since: ResumeToken?)
}

extension Change: Equatable where Model: Equatable {}

/// Where a change happened.
public struct ChangeSource: Sendable, Hashable {
    /// The database; `nil` when an original server does not say.
    public var database: String?
    /// The collection; `nil` when a whole database was dropped.
    public var collection: String?

    /// Creates a source.
    public init(database: String?, collection: String?) {
        self.database = database
        self.collection = collection
    }
}
