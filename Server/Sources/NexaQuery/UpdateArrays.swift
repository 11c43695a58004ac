import NexaValue

/// The operand of `$push`.
struct UpdatePush: Sendable {
    enum Order: Sendable {
        /// By the elements themselves.
        case whole(isDescending: Bool)
        /// By fields of the elements.
        case fields([(path: String, isDescending: Bool)])
    }

    var values: [Value]
    /// Where they go: from the start, or from the end when negative; `nil` for the end.
    var position: Int?
    /// How many elements stay: the first ones, or the last ones when negative.
    var slice: Int?
    var order: Order?

    func apply(to array: inout [Value]) {
        if let position {
            let place = position >= 0 ? min(position, array.count) : max(0, array.count + max(position, -array.count))
            array.insert(contentsOf: values, at: place)
        } else {
            array.append(contentsOf: values)
        }
        if let order { order.sort(&array) }
        if let slice {
            if slice >= 0 {
                array.removeLast(max(0, array.count - slice))
            } else {
                array.removeFirst(array.count - Int(min(slice.magnitude, UInt(array.count))))
            }
        }
    }
}

extension UpdatePush.Order {
    /// Sorts; elements that are equal keep their order.
    func sort(_ array: inout [Value]) {
        let keys = array.map(key)
        let order = keys.indices.sorted { left, right in
            let (leftKey, rightKey) = (keys[left], keys[right])
            let comparison = leftKey.span.bytes.compare(rightKey.span.bytes)
            return comparison == 0 ? left < right : comparison < 0
        }
        array = order.map { array[$0] }
    }

    private func key(_ value: Value) -> [UInt8] {
        var key: [UInt8] = []
        switch self {
        case .whole(let isDescending): OrderedEncoding.append(value, descending: isDescending, to: &key)
        case .fields(let fields):
            for field in fields {
                let found = value.document?[path: field.path] ?? .null
                OrderedEncoding.append(found, descending: field.isDescending, to: &key)
            }
        }
        return key
    }
}

/// The operand of `$addToSet`: values that differ from each other.
struct UpdateAddition: Sendable {
    let values: [Value]
    private let keys: [[UInt8]]

    init(_ values: [Value]) {
        var seen = Set<[UInt8]>()
        var distinct: [Value] = []
        var keys: [[UInt8]] = []
        for value in values {
            let key = value.ordered
            guard seen.insert(key).inserted else { continue }
            distinct.append(value)
            keys.append(key)
        }
        self.values = distinct
        self.keys = keys
    }

    /// Appends the values that the array does not have, and returns how many.
    func apply(to array: inout [Value]) -> Int {
        guard !values.isEmpty else { return 0 }
        let old = array.count
        if values.count == 1 {
            if !array.contains(where: { $0.ordered == keys[0] }) { array.append(values[0]) }
        } else {
            let present = Set(array.map(\.ordered))
            for (value, key) in zip(values, keys) where !present.contains(key) { array.append(value) }
        }
        return array.count - old
    }
}

/// Which elements `$pull` and `$pullAll` take away.
enum UpdatePull: Sendable {
    /// Those equal to one of some values, by their ordered bytes.
    case equal(Set<[UInt8]>)
    /// Documents that fulfil a filter.
    case documents(QueryFilter)
    /// Elements that fulfil operators; the filter is on a field `v` that holds the element.
    case values(QueryFilter)

    /// Whether an element goes.
    func takes(_ element: Value) throws(QueryError) -> Bool {
        switch self {
        case .equal(let keys): return keys.contains(element.ordered)
        case .documents(let filter):
            guard case .document(let document) = element else { return false }
            return try filter.matches(MessagePack.encode(document).span.bytes)
        case .values(let filter):
            return try filter.matches(MessagePack.encode(["v": element] as Document).span.bytes)
        }
    }
}
