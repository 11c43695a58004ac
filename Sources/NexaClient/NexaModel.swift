public import NexaValue

@_exported import struct NexaValue.Document
@_exported import struct NexaValue.DocumentID
@_exported import struct NexaValue.Timestamp
@_exported import struct NexaValue.ExtendedValue
@_exported import enum NexaValue.Value

/// What a typed collection stores.
///
/// ```swift
/// struct User: NexaModel {
///     var name: String
///     var age: Int
///     enum Fields { static let name = Field<String>("name"), age = Field<Int>("age") }
/// }
/// ```
///
/// A stored property for `_id` (by `CodingKeys`) is optional: declare it to choose ids, or to see them.
public protocol NexaModel: Codable, Sendable {
    /// A namespace of `Field` constants, for filters that the compiler checks.
    associatedtype Fields = NoFields
}

/// The fields of a model that declares none.
public enum NoFields {}

extension Document: NexaModel {}
