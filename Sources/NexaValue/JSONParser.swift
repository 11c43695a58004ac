/// Turns text into values: the structure of the text on explicit stacks, so that nesting costs no call stack.
struct JSONParser: ~Copyable, ~Escapable {
    private var scanner: JSONScanner
    /// The elements of all open arrays, outermost first.
    private var values = MoveStack<Value>()
    /// The fields of all open objects; the value of a field still being read is `.null`.
    private var fields = MoveStack<Document.Element>()
    private var open: [Frame] = []

    /// One open container.
    private struct Frame {
        var isArray: Bool
        /// Where its elements begin in `values` or `fields`.
        var start: Int
        /// Where its opening bracket stands.
        var offset: Int
    }

    @_lifetime(copy span)
    init(_ span: RawSpan, _ options: JSON.Options) {
        scanner = JSONScanner(span, options)
    }

    /// Decodes the whole text as one value.
    @_lifetime(self: copy self)
    mutating func parse() throws(JSONError) -> Value {
        try scanner.begin()
        while true {
            guard var value = try startValue() else { continue }
            while let frame = open.last {
                if frame.isArray {
                    values.push(value)
                    if try !scanner.closes(with: 0x5D, "',' or ']'") { break }
                    value = .array(values.moveTail(from: frame.start))
                } else {
                    fields.top.value = value
                    if try !scanner.closes(with: 0x7D, "',' or '}'") {
                        try readFieldName()
                        break
                    }
                    value = try object(fields.moveTail(from: frame.start), at: frame.offset)
                }
                open.removeLast()
            }
            if open.isEmpty {
                try scanner.end()
                return value
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container and returns `nil`.
    @_lifetime(self: copy self)
    private mutating func startValue() throws(JSONError) -> Value? {
        guard let byte = scanner.peek() else { throw scanner.fault(.endsBefore("a value"), at: scanner.position) }
        switch byte {
        case 0x22: return .string(try scanner.readString(quote: 0x22))
        case 0x7B:
            let frame = Frame(isArray: false, start: fields.count, offset: scanner.position)
            if try scanner.opensEmpty(closedBy: 0x7D, depth: open.count) { return .document(Document()) }
            open.append(frame)
            try readFieldName()
            return nil
        case 0x5B:
            let frame = Frame(isArray: true, start: values.count, offset: scanner.position)
            if try scanner.opensEmpty(closedBy: 0x5D, depth: open.count) { return .array([]) }
            open.append(frame)
            return nil
        case 0x27 where scanner.options.isRelaxed: return .string(try scanner.readString(quote: 0x27))
        default: return try scanner.readScalar(byte)
        }
    }

    /// Reads `"name":` and the blanks behind it, and begins that field.
    @_lifetime(self: copy self)
    private mutating func readFieldName() throws(JSONError) {
        let name: String
        if let quote = try scanner.fieldNameQuote() {
            name = try scanner.readString(quote: quote)
        } else {
            name = try scanner.readBareName()
        }
        try scanner.passColon()
        fields.push((name, .null))
    }

    /// Makes the value of a closed object.
    private func object(_ elements: [Document.Element], at offset: Int) throws(JSONError) -> Value {
        if scanner.options.readsExtendedForms, elements.count == 1, elements[0].key.utf8.first == 0x24 {
            switch JSON.extendedForm(elements[0].key, elements[0].value) {
            case .value(let value): return value
            case .malformed: throw scanner.fault(.invalidExtendedForm(elements[0].key), at: offset)
            case .ordinary: break
            }
        }
        return .document(Document(parsed: elements))
    }

    /// The error for a whole text that is not an object; it points at its value.
    @_lifetime(self: copy self)
    mutating func notAnObject() -> JSONError { scanner.notAnObject() }
}

extension Document {
    /// Takes over fields whose keys are known to differ.
    package init(distinct fields: [Element]) {
        self.init()
        elements = fields
        indexIfLarge()
    }

    /// Takes over fields that were collected in order; a repeated key keeps its first place and its last value.
    init(parsed fields: [Element]) {
        self.init()
        elements = fields
        if fields.count > Self.indexThreshold {
            indexIfLarge()
            guard index?.count != fields.count else { return }
        } else {
            guard Self.hasRepeatedKey(fields) else { return }
        }
        elements = []
        index = nil
        for field in fields { self[field.key] = .some(field.value) }
    }

    /// Compares every key with every other: the fastest way for a few.
    private static func hasRepeatedKey(_ fields: [Element]) -> Bool {
        for last in fields.indices.dropFirst() {
            for earlier in 0..<last where isSameKey(fields[earlier].key, fields[last].key) { return true }
        }
        return false
    }
}
