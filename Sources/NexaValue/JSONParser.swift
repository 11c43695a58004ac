/// The decoder's walk over the text: structure here, strings and numbers in extensions.
///
/// Open containers live on explicit stacks, so nesting costs no call stack.
struct JSONParser: ~Copyable, ~Escapable {
    let span: RawSpan
    let options: JSON.Options
    /// The offset of the next byte.
    var position = 0
    /// The elements of all open arrays, outermost first.
    private var values = MoveStack<Value>()
    /// The fields of all open objects; the value of a field still being read is `.null`.
    private var fields = MoveStack<Document.Element>()
    private var open: [Frame] = []
    /// The text of a string with escapes.
    var scratch: [UInt8] = []

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
        self.span = span
        self.options = options
    }

    /// Decodes the whole text as one value.
    @_lifetime(self: copy self)
    mutating func parse() throws(JSONError) -> Value {
        let limit = options.limits.maximumByteCount
        guard span.byteCount <= limit else { throw fault(.tooLarge(limit: limit), at: max(limit, 0)) }
        try skipBlanks()
        while true {
            guard var value = try startValue() else { continue }
            while let frame = open.last {
                if frame.isArray {
                    values.push(value)
                    if try !closes(with: 0x5D, "',' or ']'") { break }
                    value = .array(values.moveTail(from: frame.start))
                } else {
                    fields.top.value = value
                    if try !closes(with: 0x7D, "',' or '}'") {
                        try readFieldName()
                        break
                    }
                    value = try object(fields.moveTail(from: frame.start), at: frame.offset)
                }
                open.removeLast()
            }
            if open.isEmpty {
                try skipBlanks()
                guard position == span.byteCount else { throw fault(.expected("the end of the text"), at: position) }
                return value
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container and returns `nil`.
    @_lifetime(self: copy self)
    private mutating func startValue() throws(JSONError) -> Value? {
        guard let byte = peek() else { throw fault(.endsBefore("a value"), at: position) }
        switch byte {
        case 0x22: return .string(try readString(quote: 0x22))
        case 0x2D, 0x30...0x39: return try readNumber()
        case 0x7B:
            try enter(Frame(isArray: false, start: fields.count, offset: position))
            if try skipBlanks(), peek() == 0x7D { return leave(.document(Document())) }
            try readFieldName()
            return nil
        case 0x5B:
            try enter(Frame(isArray: true, start: values.count, offset: position))
            if try skipBlanks(), peek() == 0x5D { return leave(.array([])) }
            return nil
        case 0x66: return try readWord("false", .bool(false))
        case 0x6E: return try readWord("null", .null)
        case 0x74: return try readWord("true", .bool(true))
        case 0x27 where options.isRelaxed: return .string(try readString(quote: 0x27))
        case 0x49 where options.isRelaxed: return try readWord("Infinity", .double(.infinity))
        case 0x4E where options.isRelaxed: return try readWord("NaN", .double(.nan))
        default: throw fault(.expected("a value"), at: position)
        }
    }

    @_lifetime(self: copy self)
    private mutating func enter(_ frame: Frame) throws(JSONError) {
        let limit = min(options.limits.maximumDepth, JSON.Limits.depthCeiling)
        guard open.count < limit else { throw fault(.tooDeep(limit: limit), at: position) }
        open.append(frame)
        position &+= 1
    }

    @_lifetime(self: copy self)
    private mutating func leave(_ value: Value) -> Value {
        open.removeLast()
        position &+= 1
        return value
    }

    /// Passes over what follows an element: returns true behind the closing bracket, false behind a comma.
    @_lifetime(self: copy self)
    private mutating func closes(with bracket: UInt8, _ expected: String) throws(JSONError) -> Bool {
        try skipBlanks()
        let byte = try need(expected)
        if byte == 0x2C {
            position &+= 1
            try skipBlanks()
            guard options.isRelaxed, peek() == bracket else { return false }
        } else if byte != bracket {
            throw fault(.expected(expected), at: position)
        }
        position &+= 1
        return true
    }

    /// Reads `"name":` and the blanks behind it, and begins that field.
    @_lifetime(self: copy self)
    private mutating func readFieldName() throws(JSONError) {
        let name: String
        switch try need("a field name") {
        case 0x22: name = try readString(quote: 0x22)
        case 0x27 where options.isRelaxed: name = try readString(quote: 0x27)
        case _ where options.isRelaxed: name = try readBareName()
        default: throw fault(.expected("a field name in double quotes"), at: position)
        }
        try skipBlanks()
        guard try need("':'") == 0x3A else { throw fault(.expected("':'"), at: position) }
        position &+= 1
        try skipBlanks()
        fields.push((name, .null))
    }

    /// Makes the value of a closed object.
    private func object(_ elements: [Document.Element], at offset: Int) throws(JSONError) -> Value {
        if options.readsExtendedForms, elements.count == 1, elements[0].key.utf8.first == 0x24 {
            switch JSON.extendedForm(elements[0].key, elements[0].value) {
            case .value(let value): return value
            case .malformed: throw fault(.invalidExtendedForm(elements[0].key), at: offset)
            case .ordinary: break
            }
        }
        return .document(Document(parsed: elements))
    }

    // MARK: Bytes

    @inline(__always) func byte(at offset: Int) -> UInt8 {
        unsafe span.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The next byte, unless the text ends.
    @inline(__always) func peek() -> UInt8? {
        position < span.byteCount ? byte(at: position) : nil
    }

    /// The next byte; its absence is an error that names what was expected.
    @inline(__always) func need(_ expected: StaticString) throws(JSONError) -> UInt8 {
        guard position < span.byteCount else { throw fault(.endsBefore(expected.description), at: position) }
        return byte(at: position)
    }

    @inline(__always) func need(_ expected: String) throws(JSONError) -> UInt8 {
        guard position < span.byteCount else { throw fault(.endsBefore(expected), at: position) }
        return byte(at: position)
    }

    @inline(never) func fault(_ reason: JSONError.Reason, at offset: Int) -> JSONError {
        JSONError(reason, at: offset, in: span)
    }

    /// The error for a whole text that is not an object; it points at its value.
    @_lifetime(self: copy self)
    mutating func notAnObject() -> JSONError {
        position = 0
        _ = try? skipBlanks()
        return fault(.expected("an object"), at: position)
    }

    @_lifetime(self: copy self)
    private mutating func readWord(_ word: StaticString, _ value: Value) throws(JSONError) -> Value {
        for index in 0..<word.utf8CodeUnitCount {
            guard position &+ index < span.byteCount else {
                throw fault(.endsBefore("'\(word)'"), at: span.byteCount)
            }
            guard unsafe byte(at: position &+ index) == word.utf8Start[index] else {
                throw fault(.expected("a value"), at: position)
            }
        }
        position &+= word.utf8CodeUnitCount
        return value
    }

    /// Passes over blanks, and over comments when relaxed.
    @_lifetime(self: copy self)
    @inline(__always) @discardableResult mutating func skipBlanks() throws(JSONError) -> Bool {
        while position < span.byteCount {
            let next = byte(at: position)
            if next > 0x2F { break }  // the common case: neither a blank nor a slash
            if next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 {
                position &+= 1
            } else if next == 0x2F, options.isRelaxed {
                try skipComment()
            } else {
                break
            }
        }
        return true
    }

    @_lifetime(self: copy self)
    private mutating func skipComment() throws(JSONError) {
        let start = position
        position &+= 1
        switch peek() {
        case 0x2F:
            while let next = peek(), next != 0x0A {
                _ = next
                position &+= 1
            }
        case 0x2A:
            position &+= 1
            while true {
                guard position &+ 1 < span.byteCount else {
                    position = span.byteCount
                    throw fault(.endsBefore("the '*/' of a comment"), at: position)
                }
                if byte(at: position) == 0x2A, byte(at: position &+ 1) == 0x2F { break }
                position &+= 1
            }
            position &+= 2
        default: throw fault(.expected("'//' or '/*'"), at: start)
        }
        try checkUTF8(from: start, to: position)
    }
}

extension Document {
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
