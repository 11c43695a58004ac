import NexaValue

/// Finds the value at a plain path in an encoded document, through documents only.
public struct FieldPathReader: Sendable {
    /// What is there.
    public enum Head: Sendable {
        case missing
        case integer(Int64)
        case double(Double)
        /// Of another kind, or behind an array: to be evaluated in another way.
        case other
    }

    private let parts: [FieldPath.Part]

    /// Takes a dotted path.
    public init(_ path: String) {
        parts = path.split(separator: ".", omittingEmptySubsequences: false).map { FieldPath.Part($0) }
    }

    /// Where the value lies; `nil` when it is missing or behind an array.
    public func range(in document: RawSpan) -> Range<Int>? {
        guard let offset = offset(in: document).value else { return nil }
        guard let end = try? document.endOfValue(at: offset) else { return nil }
        return offset..<end
    }

    /// What the value is, without decoding it.
    public func head(in document: RawSpan) -> Head {
        let found = offset(in: document)
        guard let offset = found.value else { return found.isBehindArray ? .other : .missing }
        var reader = MessagePackReader(document, at: offset)
        switch try? reader.readHead() {
        case .int(let number)?: return .integer(number)
        case .double(let number)?: return .double(number)
        default: return .other
        }
    }

    private func offset(in document: RawSpan) -> (value: Int?, isBehindArray: Bool) {
        var offset = 0
        for part in parts {
            var reader = MessagePackReader(document, at: offset)
            switch try? reader.readHead() {
            case .map(let count)?:
                guard let found = try? document.value(of: part, at: reader.position, count: count) else {
                    return (nil, false)
                }
                offset = found
            case .array?: return (nil, true)
            default: return (nil, false)
            }
        }
        return (offset, false)
    }
}
