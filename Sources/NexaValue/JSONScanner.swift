/// The decoder's walk over the text, below the structure: blanks, words and errors here, strings and numbers in
/// extensions. What the values become is up to its owner.
struct JSONScanner: ~Copyable, ~Escapable {
    let span: RawSpan
    let options: JSON.Options
    /// The offset of the next byte.
    var position = 0
    /// The text of a string with escapes.
    var scratch: [UInt8] = []

    @_lifetime(copy span)
    init(_ span: RawSpan, _ options: JSON.Options) {
        self.span = span
        self.options = options
    }

    // MARK: The whole text

    /// Passes over the blanks before the value.
    @_lifetime(self: copy self)
    mutating func begin() throws(JSONError) {
        let limit = options.limits.maximumByteCount
        guard span.byteCount <= limit else { throw fault(.tooLarge(limit: limit), at: max(limit, 0)) }
        try skipBlanks()
    }

    /// Passes over the blanks behind the value, where nothing else may stand.
    @_lifetime(self: copy self)
    mutating func end() throws(JSONError) {
        try skipBlanks()
        guard position == span.byteCount else { throw fault(.expected("the end of the text"), at: position) }
    }

    // MARK: Structure

    /// Passes over an opening bracket and the blanks behind it; returns true, and is behind the closing one, when the
    /// container is empty.
    ///
    /// - Parameter depth: how many containers are open already.
    @_lifetime(self: copy self)
    mutating func opensEmpty(closedBy bracket: UInt8, depth: Int) throws(JSONError) -> Bool {
        let limit = min(options.limits.maximumDepth, JSON.Limits.depthCeiling)
        guard depth < limit else { throw fault(.tooDeep(limit: limit), at: position) }
        position &+= 1
        try skipBlanks()
        guard peek() == bracket else { return false }
        position &+= 1
        return true
    }

    /// Passes over what follows an element: returns true behind the closing bracket, false behind a comma.
    @_lifetime(self: copy self)
    mutating func closes(with bracket: UInt8, _ expected: String) throws(JSONError) -> Bool {
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

    /// Passes over the colon behind a field name, and the blanks around it.
    @_lifetime(self: copy self)
    mutating func passColon() throws(JSONError) {
        try skipBlanks()
        guard try need("':'") == 0x3A else { throw fault(.expected("':'"), at: position) }
        position &+= 1
        try skipBlanks()
    }

    /// The quote of a field name, or `nil` for a name without one.
    func fieldNameQuote() throws(JSONError) -> UInt8? {
        switch try need("a field name") {
        case 0x22: 0x22
        case 0x27 where options.isRelaxed: 0x27
        case _ where options.isRelaxed: nil
        default: throw fault(.expected("a field name in double quotes"), at: position)
        }
    }

    /// A scalar that is no string.
    @_lifetime(self: copy self)
    mutating func readScalar(_ first: UInt8) throws(JSONError) -> Value {
        switch first {
        case 0x2D, 0x30...0x39: return try readNumber()
        case 0x66: return try readWord("false", .bool(false))
        case 0x6E: return try readWord("null", .null)
        case 0x74: return try readWord("true", .bool(true))
        case 0x49 where options.isRelaxed: return try readWord("Infinity", .double(.infinity))
        case 0x4E where options.isRelaxed: return try readWord("NaN", .double(.nan))
        default: throw fault(.expected("a value"), at: position)
        }
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
