import NexaValue

/// What the operators do to a value.
extension UpdateApplication {
    /// The value that an operator gives to a missing field; `nil` for none.
    mutating func initial(_ modification: Modification) throws(QueryError) -> Value? {
        switch modification {
        case .set(let value), .minimum(let value), .maximum(let value), .increment(let value): return value
        case .setOnInsert(let value): return isInsert ? .some(value) : .none
        case .multiply(.double): return 0.0
        case .multiply: return 0
        case .rename(let number): return renamed[number]
        case .currentDate: return .timestamp(now)
        case .bit(let bits): return .int(bits.applied(to: 0))
        case .addToSet(let addition):
            try add(elements: addition.values.count)
            return .array(addition.values)
        case .push(let push):
            try add(elements: push.values.count)
            var array: [Value] = []
            push.apply(to: &array)
            return .array(array)
        case .unset, .pull, .pop: return nil
        }
    }

    /// Applies an operator to a value that is there; true when it changed.
    mutating func modify(_ modification: Modification, _ value: inout Value) throws(QueryError) -> Bool {
        switch modification {
        case .set(let new): return replace(&value, by: new)
        case .setOnInsert(let new): return isInsert ? replace(&value, by: new) : false
        case .rename(let number): return renamed[number].map { replace(&value, by: $0) } ?? false
        case .currentDate: return replace(&value, by: .timestamp(now))
        case .minimum(let new): return ValueOrder.compare(new, value) < 0 ? replace(&value, by: new) : false
        case .maximum(let new): return ValueOrder.compare(new, value) > 0 ? replace(&value, by: new) : false
        case .increment(let amount):
            return replace(&value, by: try computed("$inc", value, UpdateArithmetic.sum(value, amount)))
        case .multiply(let factor):
            return replace(&value, by: try computed("$mul", value, UpdateArithmetic.product(value, factor)))
        case .bit(let bits):
            guard case .int(let number) = value else {
                throw QueryError(
                    .notApplicable,
                    "Cannot apply $bit to a value of non-integral type. \(idText) has the field \(name) of"
                        + " non-integer type \(value.kindName)")
            }
            return replace(&value, by: .int(bits.applied(to: number)))
        case .unset: return false  // done by whoever holds the field
        case .push, .addToSet, .pull, .pop: return try modifyArray(modification, &value)
        }
    }

    mutating func modifyArray(_ modification: Modification, _ value: inout Value) throws(QueryError) -> Bool {
        guard var array = value.elements else { throw notAnArray(modification, value) }
        switch modification {
        case .push(let push):
            try add(elements: push.values.count)
            let old = push.slice != nil || push.order != nil ? array : nil
            value = .null
            push.apply(to: &array)
            value = .array(array)
            guard let old else { return !push.values.isEmpty }
            return !Value.array(old).isIdentical(to: value)
        case .addToSet(let addition):
            try add(elements: addition.values.count)
            value = .null
            let added = addition.apply(to: &array)
            value = .array(array)
            return added > 0
        case .pop(let first):
            guard !array.isEmpty else { return false }
            value = .null
            if first { array.removeFirst() } else { array.removeLast() }
            value = .array(array)
            return true
        case .pull(let pull):
            var kept: [Value] = []
            for element in array where try !pull.takes(element) { kept.append(element) }
            guard kept.count < array.count else { return false }
            value = .array(kept)
            return true
        default: return false
        }
    }

    func replace(_ value: inout Value, by new: Value) -> Bool {
        if value.isIdentical(to: new) { return false }
        value = new
        return true
    }

    func computed(_ name: String, _ value: Value, _ result: Value?) throws(QueryError) -> Value {
        if let result { return result }
        guard value.isNumber else {
            throw QueryError(
                .notApplicable,
                "Cannot apply \(name) to a value of non-numeric type. \(idText) has the field '\(self.name)' of"
                    + " non-numeric type \(value.kindName)")
        }
        throw QueryError(
            .notApplicable,
            "Failed to apply \(name) operations to current value (\(value.brief)) for document \(idText):"
                + " the result is beyond the range of 64-bit integers")
    }
}
