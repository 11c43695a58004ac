import NexaValue

extension Value {
    /// Whether two values are equal as JSON: numbers by their mathematical value.
    func isSameJSON(as other: Value, anyOrder: Bool = false) -> Bool {
        switch (self, other) {
        case (.int, .int), (.int, .uint), (.uint, .int), (.uint, .uint): self == other
        case (.double(let left), .double(let right)): left == right
        case (.double(let number), .int(let whole)), (.int(let whole), .double(let number)):
            Int64(exactly: number) == whole
        case (.double(let number), .uint(let whole)), (.uint(let whole), .double(let number)):
            UInt64(exactly: number) == whole
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSameJSON(as: $1, anyOrder: anyOrder) }
        case (.document(let left), .document(let right)):
            left.count == right.count
                && left.indices.allSatisfy { index in
                    let field = left[index]
                    if anyOrder { return right[field.key]?.isSameJSON(as: field.value, anyOrder: true) ?? false }
                    return right[index].key.utf8.elementsEqual(field.key.utf8)
                        && right[index].value.isSameJSON(as: field.value)
                }
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        default: self == other
        }
    }
}
