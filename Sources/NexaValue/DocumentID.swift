/// The identity of a document within its collection: the text of its `_id`.
///
/// A client may choose it; otherwise the server makes a time-ordered one of 32 hexadecimal digits. An
/// integer `_id` is written in decimal.
public struct DocumentID: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The id as text.
    public let rawValue: String

    /// Wraps an id.
    public init(_ rawValue: String) { self.rawValue = rawValue }
    /// Wraps a literal.
    public init(stringLiteral value: String) { rawValue = value }
    /// Reads the text.
    public init(from decoder: any Decoder) throws { rawValue = try decoder.singleValueContainer().decode(String.self) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
    /// The text.
    public var description: String { rawValue }
}
