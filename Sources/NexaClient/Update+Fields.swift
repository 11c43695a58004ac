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
