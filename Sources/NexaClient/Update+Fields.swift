public import NexaValue

/// Updates of the fields of a model: `.set(User.Fields.age, 36)`.
extension Update {
    /// Sets a field.
    public func set<T: NexaValueConvertible>(_ field: Field<T>, _ value: T) -> Update { set(field.path, value) }
    /// Sets a field.
    public static func set<T: NexaValueConvertible>(_ field: Field<T>, _ value: T) -> Update { .set(field.path, value) }
    /// Adds to a number; a missing field counts as 0.
    public func inc<T: NexaValueConvertible & Numeric>(_ field: Field<T>, _ amount: T) -> Update {
        inc(field.path, amount)
    }
    /// Adds to a number; a missing field counts as 0.
    public static func inc<T: NexaValueConvertible & Numeric>(_ field: Field<T>, _ amount: T) -> Update {
        .inc(field.path, amount)
    }
    /// Removes a field.
    public func unset<T>(_ field: Field<T>) -> Update { unset(field.path) }
    /// Removes a field.
    public static func unset<T>(_ field: Field<T>) -> Update { .unset(field.path) }
}

extension Array: NexaValueConvertible where Element: NexaValueConvertible {
    /// An array.
    public var nexaValue: Value { .array(map(\.nexaValue)) }
}

extension Document: NexaValueConvertible {
    /// A sub-document.
    public var nexaValue: Value { .document(self) }
}

extension Timestamp: NexaValueConvertible {
    /// A point in time.
    public var nexaValue: Value { .timestamp(self) }
}
