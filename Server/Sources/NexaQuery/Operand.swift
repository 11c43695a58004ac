import NexaValue

/// What an encoded value is compared with: a literal of the filter, prepared for that.
enum Operand: Sendable {
    case null
    case bool(Bool)
    case number(Number)
    /// The UTF-8 bytes.
    case string([UInt8])
    /// Any other kind, encoded.
    case encoded([UInt8], ValueOrder.Bracket)

    init(_ value: Value) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .number(.int(value))
        case .uint(let value): self = .number(.uint(value))
        case .double(let value): self = .number(.double(value))
        case .string(let value): self = .string(Array(value.utf8))
        case .bytes: self = .encoded(MessagePack.encode(value), .binary)
        case .array, .vector: self = .encoded(MessagePack.encode(value), .array)
        case .document: self = .encoded(MessagePack.encode(value), .document)
        case .timestamp: self = .encoded(MessagePack.encode(value), .timestamp)
        case .extended: self = .encoded(MessagePack.encode(value), .extended)
        }
    }

    /// The place of its kind in the order of values.
    var bracket: ValueOrder.Bracket {
        switch self {
        case .null: .null
        case .bool: .boolean
        case .number: .number
        case .string: .string
        case .encoded(_, let bracket): bracket
        }
    }

    var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// Whether the value at an offset, whose head ends at `body`, equals the operand.
    @inline(__always)
    func equals(_ head: MessagePackReader.Head, _ span: RawSpan, at offset: Int, body: Int) throws -> Bool {
        switch (self, head) {
        case (.string(let text), .string(let count)):
            return count == text.count && span.extracting(body..<body &+ count).elementsEqual(text.span.bytes)
        case (.number(.int(let left)), .int(let right)): return left == right
        case (.null, .null): return true
        case (.bool(let left), .bool(let right)): return left == right
        default: return try order(head, span, at: offset, body: body) == 0
        }
    }

    /// How the value at an offset compares with the operand, or `nil` when their brackets differ.
    ///
    /// NaN equals NaN here; whether it may be smaller or larger than a number is for the caller to say.
    func order(_ head: MessagePackReader.Head, _ span: RawSpan, at offset: Int, body: Int) throws -> Int? {
        switch self {
        case .null: return head.bracket == .null ? 0 : nil
        case .bool(let operand):
            guard case .bool(let value) = head else { return nil }
            return value == operand ? 0 : value ? 1 : -1
        case .number(let operand): return head.number.map { $0.compare(operand) }
        case .string(let operand):
            guard case .string(let count) = head else { return nil }
            return span.extracting(body..<body &+ count).compare(operand.span.bytes)
        case .encoded(let operand, let bracket):
            guard head.bracket == bracket else { return nil }
            var left = MessagePackReader(span, at: offset)
            var right = MessagePackReader(operand.span.bytes)
            return try ValueOrder.compare(&left, &right, depth: 0)
        }
    }

    /// True for a NaN operand, which no number is smaller or larger than.
    var isNaN: Bool {
        if case .number(let number) = self { number.isNaN } else { false }
    }
}

/// The operands of `$in`: sorted, so that a hundred thousand of them cost seventeen comparisons.
struct OperandSet: Sendable {
    /// The operands encoded one behind the other.
    private let blob: [UInt8]
    /// Where each begins, in the order of values, without repetitions.
    private let offsets: [Int32]
    let containsNull: Bool

    init(_ values: [Value]) {
        var writer = MessagePackWriter()
        var starts: [Int] = []
        for value in values {
            starts.append(writer.count)
            writer.write(value)
        }
        let blob = writer.bytes
        starts.sort { Self.order(blob, $0, $1) < 0 }
        var offsets: [Int32] = []
        for start in starts {
            if let last = offsets.last, Self.order(blob, Int(last), start) == 0 { continue }
            offsets.append(Int32(clamping: start))
        }
        self.blob = blob
        self.offsets = offsets
        containsNull = values.contains { $0.isNull }
    }

    private static func order(_ blob: [UInt8], _ left: Int, _ right: Int) -> Int {
        var left = MessagePackReader(blob.span.bytes, at: left)
        var right = MessagePackReader(blob.span.bytes, at: right)
        return (try? ValueOrder.compare(&left, &right, depth: 0)) ?? 0  // encoded here, hence well-formed
    }

    /// The operands one by one.
    var operands: [Operand] {
        offsets.compactMap { offset in
            var reader = MessagePackReader(blob.span.bytes, at: Int(offset))
            guard let bytes = try? reader.readRaw(), let value = try? MessagePack.decode(bytes) else { return nil }
            return Operand(value)  // encoded here, hence well-formed
        }
    }

    /// Whether the value at an offset equals one of the operands.
    func contains(_ span: RawSpan, at offset: Int) throws -> Bool {
        var low = 0
        var high = offsets.count
        while low < high {
            let middle = (low + high) / 2
            var value = MessagePackReader(span, at: offset)
            var operand = MessagePackReader(blob.span.bytes, at: Int(offsets[middle]))
            let order = try ValueOrder.compare(&value, &operand, depth: 0)
            if order == 0 { return true }
            if order < 0 { high = middle } else { low = middle + 1 }
        }
        return false
    }
}
