public import NexaValue

/// A type whose values can stand on the right side of a comparison.
public protocol NexaValueConvertible: Sendable {
    /// The value as it is stored.
    var nexaValue: Value { get }
}

extension Int: NexaValueConvertible {
    /// An integer.
    public var nexaValue: Value { .int(Int64(self)) }
}
extension Int64: NexaValueConvertible {
    /// An integer.
    public var nexaValue: Value { .int(self) }
}
extension Double: NexaValueConvertible {
    /// A number.
    public var nexaValue: Value { .double(self) }
}
extension String: NexaValueConvertible {
    /// Text.
    public var nexaValue: Value { .string(self) }
}
extension Bool: NexaValueConvertible {
    /// A boolean.
    public var nexaValue: Value { .bool(self) }
}
extension DocumentID: NexaValueConvertible {
    /// The text of the id.
    public var nexaValue: Value { .string(rawValue) }
}
extension Value: NexaValueConvertible {
    /// The value itself.
    public var nexaValue: Value { self }
}

extension Field where T: NexaValueConvertible {
    /// The field equals the value, or is an array with an element that does.
    public static func == (field: Self, value: T) -> Filter { [field.path: value.nexaValue] }
    /// The field is missing or does not equal the value.
    public static func != (field: Self, value: T) -> Filter { [field.path: ["$ne": value.nexaValue]] }
    /// The field equals one of the values.
    public func isIn(_ values: [T]) -> Filter { [path: ["$in": .array(values.map(\.nexaValue))]] }
    /// The field equals none of the values, or is missing.
    public func isNotIn(_ values: [T]) -> Filter { [path: ["$nin": .array(values.map(\.nexaValue))]] }
}

extension Field where T: NexaValueConvertible & Comparable {
    /// The field is less.
    public static func < (field: Self, value: T) -> Filter { [field.path: ["$lt": value.nexaValue]] }
    /// The field is less or equal.
    public static func <= (field: Self, value: T) -> Filter { [field.path: ["$lte": value.nexaValue]] }
    /// The field is greater.
    public static func > (field: Self, value: T) -> Filter { [field.path: ["$gt": value.nexaValue]] }
    /// The field is greater or equal.
    public static func >= (field: Self, value: T) -> Filter { [field.path: ["$gte": value.nexaValue]] }
}

extension DocumentID: Comparable {
    /// By the bytes of the text, as the server orders ids.
    public static func < (left: DocumentID, right: DocumentID) -> Bool {
        left.rawValue.utf8.lexicographicallyPrecedes(right.rawValue.utf8)
    }
}

extension Timestamp: Comparable {
    /// Earlier comes first.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

// Anything else that can be stored, such as Foundation's `Date`, `UUID` and `Data`, or an enumeration of texts. Disfavoured,
// so that the types above do not go the long way and the compiler has nothing to choose.
extension Field where T: Encodable {
    private func compared(_ operation: String, _ value: some Encodable) -> Filter {
        do throws(NexaError) {
            return [path: [operation: try Value.encode(value, coding: coding)]]
        } catch {
            // An operator cannot throw: every server refuses this one, with these words.
            return [path: ["$unencodable": .string(error.message)]]
        }
    }

    /// The field equals the value, as it is stored, or is an array with an element that does.
    @_disfavoredOverload
    public static func == (field: Self, value: T) -> Filter { field.compared("$eq", value) }
    /// The field is missing or does not equal the value.
    @_disfavoredOverload
    public static func != (field: Self, value: T) -> Filter { field.compared("$ne", value) }
    /// The field equals one of the values.
    @_disfavoredOverload
    public func isIn(_ values: [T]) -> Filter { compared("$in", values) }
    /// The field equals none of the values, or is missing.
    @_disfavoredOverload
    public func isNotIn(_ values: [T]) -> Filter { compared("$nin", values) }
}

extension Field where T: Encodable & Comparable {
    /// The field is less than the value, as both are stored.
    @_disfavoredOverload
    public static func < (field: Self, value: T) -> Filter { field.compared("$lt", value) }
    /// The field is less or equal.
    @_disfavoredOverload
    public static func <= (field: Self, value: T) -> Filter { field.compared("$lte", value) }
    /// The field is greater.
    @_disfavoredOverload
    public static func > (field: Self, value: T) -> Filter { field.compared("$gt", value) }
    /// The field is greater or equal.
    @_disfavoredOverload
    public static func >= (field: Self, value: T) -> Filter { field.compared("$gte", value) }
}
