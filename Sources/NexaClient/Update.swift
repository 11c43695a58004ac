public import NexaValue

/// What happens to a document, in MongoDB's language of update operators.
///
/// Compose it, or write it as a literal:
///
/// ```swift
/// let visit: Update = .inc("visits", 1).currentDate("seen").addToSet("places", "Paris")
/// let same: Update = ["$inc": ["visits": 1], "$currentDate": ["seen": true], "$addToSet": ["places": "Paris"]]
/// ```
///
/// Paths are dotted (`address.city`, `scores.0`); `$` is the array element that the filter matched, `$[]` all elements,
/// `$[name]` those that the array filter with this name means. All of an update happens, or nothing of it.
public struct Update: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// The operators as they are sent.
    public private(set) var document: Document
    /// The conditions of the elements that `$[name]` means.
    public private(set) var arrayFilters: [Document] = []

    /// Takes operators as they are.
    public init(_ document: Document) { self.document = document }

    /// Takes a literal of operators as it is.
    public init(dictionaryLiteral elements: (String, Value)...) { document = Document(elements) }

    private func adding(_ name: String, _ path: String, _ operand: Value) -> Update {
        var update = self
        var fields = document[name]?.document ?? [:]
        fields[path] = .some(operand)
        update.document[name] = .some(.document(fields))
        return update
    }
}

extension Update {
    /// Sets a field.
    public func set(_ path: String, _ value: some NexaValueConvertible) -> Update {
        adding("$set", path, value.nexaValue)
    }
    /// Sets a field, unless the document is there already: for upserts.
    public func setOnInsert(_ path: String, _ value: some NexaValueConvertible) -> Update {
        adding("$setOnInsert", path, value.nexaValue)
    }
    /// Removes a field; an element of an array becomes null.
    public func unset(_ path: String) -> Update { adding("$unset", path, "") }
    /// Adds to a number; a missing field counts as 0.
    public func inc(_ path: String, _ amount: some NexaValueConvertible & Numeric) -> Update {
        adding("$inc", path, amount.nexaValue)
    }
    /// Multiplies a number; a missing field becomes 0.
    public func mul(_ path: String, _ factor: some NexaValueConvertible & Numeric) -> Update {
        adding("$mul", path, factor.nexaValue)
    }
    /// Sets a field if the value is less than what is there.
    public func min(_ path: String, _ value: some NexaValueConvertible) -> Update {
        adding("$min", path, value.nexaValue)
    }
    /// Sets a field if the value is greater than what is there.
    public func max(_ path: String, _ value: some NexaValueConvertible) -> Update {
        adding("$max", path, value.nexaValue)
    }
    /// Gives a field another name.
    public func rename(_ path: String, to newPath: String) -> Update { adding("$rename", path, .string(newPath)) }
    /// Sets a field to the time of the server.
    public func currentDate(_ path: String) -> Update { adding("$currentDate", path, true) }

    /// Appends an element to an array.
    public func push(_ path: String, _ element: some NexaValueConvertible) -> Update {
        push(path, contentsOf: [element])
    }
    /// Adds elements to an array, then sorts it, then cuts it.
    ///
    /// - Parameters:
    ///   - path: the array.
    ///   - elements: what is added.
    ///   - position: where, from the start, or from the end when negative; `nil` for the end.
    ///   - sort: `1` or `-1` for the elements themselves, or fields of them, as in `["score": -1]`.
    ///   - slice: how many elements stay, the first ones, or the last ones when negative.
    public func push(
        _ path: String, contentsOf elements: [some NexaValueConvertible], at position: Int? = nil, sort: Value? = nil,
        slice: Int? = nil
    ) -> Update {
        var operand: Document = ["$each": .array(elements.map(\.nexaValue))]
        if let position { operand["$position"] = .int(Int64(position)) }
        if let sort { operand["$sort"] = .some(sort) }
        if let slice { operand["$slice"] = .int(Int64(slice)) }
        return adding("$push", path, .document(operand))
    }
    /// Appends an element to an array, unless it is there.
    public func addToSet(_ path: String, _ element: some NexaValueConvertible) -> Update {
        addToSet(path, contentsOf: [element])
    }
    /// Appends those elements to an array that are not there.
    public func addToSet(_ path: String, contentsOf elements: [some NexaValueConvertible]) -> Update {
        adding("$addToSet", path, ["$each": .array(elements.map(\.nexaValue))])
    }
    /// Removes the elements of an array that equal a value.
    public func pull(_ path: String, _ element: some NexaValueConvertible) -> Update {
        adding("$pullAll", path, [element.nexaValue])
    }
    /// Removes the elements of an array that equal one of some values.
    public func pullAll(_ path: String, _ elements: [some NexaValueConvertible]) -> Update {
        adding("$pullAll", path, .array(elements.map(\.nexaValue)))
    }
    /// Removes the elements of an array that a filter means; `["$gte": 5]` is a filter of the elements themselves.
    public func pull(_ path: String, where filter: Filter) -> Update {
        adding("$pull", path, .document(filter.document))
    }
    /// Removes the last element of an array.
    public func popLast(_ path: String) -> Update { adding("$pop", path, 1) }
    /// Removes the first element of an array.
    public func popFirst(_ path: String) -> Update { adding("$pop", path, -1) }
    /// Changes the bits of an integer: `number & and | or ^ xor`.
    public func bit(_ path: String, and: Int64? = nil, or: Int64? = nil, xor: Int64? = nil) -> Update {
        var operand: Document = [:]
        if let and { operand["and"] = .int(and) }
        if let or { operand["or"] = .int(or) }
        if let xor { operand["xor"] = .int(xor) }
        return adding("$bit", path, .document(operand))
    }

    /// Says which elements `$[name]` means, in a filter whose paths begin with the name.
    public func arrayFilter(_ filter: Filter) -> Update {
        var update = self
        update.arrayFilters.append(filter.document)
        return update
    }
}

/// The same as first operator of an update.
extension Update {
    /// Sets a field.
    public static func set(_ path: String, _ value: some NexaValueConvertible) -> Update {
        Update([:]).set(path, value)
    }
    /// Sets a field, unless the document is there already: for upserts.
    public static func setOnInsert(_ path: String, _ value: some NexaValueConvertible) -> Update {
        Update([:]).setOnInsert(path, value)
    }
    /// Removes a field; an element of an array becomes null.
    public static func unset(_ path: String) -> Update { Update([:]).unset(path) }
    /// Adds to a number; a missing field counts as 0.
    public static func inc(_ path: String, _ amount: some NexaValueConvertible & Numeric) -> Update {
        Update([:]).inc(path, amount)
    }
    /// Multiplies a number; a missing field becomes 0.
    public static func mul(_ path: String, _ factor: some NexaValueConvertible & Numeric) -> Update {
        Update([:]).mul(path, factor)
    }
    /// Sets a field if the value is less than what is there.
    public static func min(_ path: String, _ value: some NexaValueConvertible) -> Update {
        Update([:]).min(path, value)
    }
    /// Sets a field if the value is greater than what is there.
    public static func max(_ path: String, _ value: some NexaValueConvertible) -> Update {
        Update([:]).max(path, value)
    }
    /// Gives a field another name.
    public static func rename(_ path: String, to newPath: String) -> Update { Update([:]).rename(path, to: newPath) }
    /// Sets a field to the time of the server.
    public static func currentDate(_ path: String) -> Update { Update([:]).currentDate(path) }
    /// Appends an element to an array.
    public static func push(_ path: String, _ element: some NexaValueConvertible) -> Update {
        Update([:]).push(path, element)
    }
    /// Adds elements to an array, then sorts it, then cuts it; see the method of the same name.
    public static func push(
        _ path: String, contentsOf elements: [some NexaValueConvertible], at position: Int? = nil, sort: Value? = nil,
        slice: Int? = nil
    ) -> Update {
        Update([:]).push(path, contentsOf: elements, at: position, sort: sort, slice: slice)
    }
    /// Appends an element to an array, unless it is there.
    public static func addToSet(_ path: String, _ element: some NexaValueConvertible) -> Update {
        Update([:]).addToSet(path, element)
    }
    /// Appends those elements to an array that are not there.
    public static func addToSet(_ path: String, contentsOf elements: [some NexaValueConvertible]) -> Update {
        Update([:]).addToSet(path, contentsOf: elements)
    }
    /// Removes the elements of an array that equal a value.
    public static func pull(_ path: String, _ element: some NexaValueConvertible) -> Update {
        Update([:]).pull(path, element)
    }
    /// Removes the elements of an array that equal one of some values.
    public static func pullAll(_ path: String, _ elements: [some NexaValueConvertible]) -> Update {
        Update([:]).pullAll(path, elements)
    }
    /// Removes the elements of an array that a filter means.
    public static func pull(_ path: String, where filter: Filter) -> Update { Update([:]).pull(path, where: filter) }
    /// Removes the last element of an array.
    public static func popLast(_ path: String) -> Update { Update([:]).popLast(path) }
    /// Removes the first element of an array.
    public static func popFirst(_ path: String) -> Update { Update([:]).popFirst(path) }
    /// Changes the bits of an integer: `number & and | or ^ xor`.
    public static func bit(_ path: String, and: Int64? = nil, or: Int64? = nil, xor: Int64? = nil) -> Update {
        Update([:]).bit(path, and: and, or: or, xor: xor)
    }
}
