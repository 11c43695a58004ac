/// Strings and names.
extension JSONScanner {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// Reads a string from its opening quote to behind its closing one.
    @_lifetime(self: copy self)
    mutating func readString(quote: UInt8) throws(JSONError) -> String {
        position &+= 1
        let start = position
        let isASCII = passPlainText(quote: quote)
        guard position < span.byteCount else { throw fault(.endsBefore("a closing quote"), at: position) }
        guard byte(at: position) == quote else { return try readEscapedString(from: start, quote: quote) }
        let text = try makeString(start..<position, isASCII: isASCII)
        position &+= 1
        return text
    }

    /// As `readString`, straight into encoded bytes.
    @_lifetime(self: copy self)
    mutating func copyString(quote: UInt8, to writer: inout MessagePackWriter) throws(JSONError) {
        position &+= 1
        let start = position
        let isASCII = passPlainText(quote: quote)
        guard position < span.byteCount else { throw fault(.endsBefore("a closing quote"), at: position) }
        if byte(at: position) == quote {
            if !isASCII { try checkUTF8(from: start, to: position) }
            writer.writeString(utf8: span.extracting(start..<position))
        } else {
            try unescape(from: start, quote: quote)
            writer.writeString(utf8: scratch.span.bytes)
        }
        position &+= 1
    }

    /// Reads a field name without quotes, straight into encoded bytes.
    @_lifetime(self: copy self)
    mutating func copyBareName(to writer: inout MessagePackWriter) throws(JSONError) {
        writer.writeString(utf8: span.extracting(try passBareName()))
    }

    /// Moves to the next quote, backslash or control character, or to the end; returns whether all before is ASCII.
    ///
    /// Eight bytes at a time: https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord and #ZeroInWord.
    /// Borrows can only mark bytes above a true hit, and the lowest hit is the one taken.
    @_lifetime(self: copy self)
    @inline(__always) private mutating func passPlainText(quote: UInt8) -> Bool {
        let quotes = Self.ones &* UInt64(quote)
        let backslashes = Self.ones &* 0x5C
        var seen: UInt64 = 0
        while position &+ 8 <= span.byteCount {
            let word = UInt64(littleEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quoted = word ^ quotes
            let escaped = word ^ backslashes
            let hits =
                ((word &- Self.ones &* 0x20) & ~word) | ((quoted &- Self.ones) & ~quoted)
                | ((escaped &- Self.ones) & ~escaped)
            let stops = hits & Self.highBits
            if stops != 0 {
                let count = stops.trailingZeroBitCount >> 3
                seen |= word & ((1 &<< UInt64(count &* 8)) &- 1)
                position &+= count
                return seen & Self.highBits == 0
            }
            seen |= word
            position &+= 8
        }
        while let next = peek(), next != quote, next != 0x5C, next >= 0x20 {
            seen |= UInt64(next)
            position &+= 1
        }
        return seen & Self.highBits == 0
    }

    private func makeString(_ range: Range<Int>, isASCII: Bool) throws(JSONError) -> String {
        let text = span.extracting(range).withUnsafeBytes { bytes in
            isASCII
                ? unsafe String(decoding: bytes, as: UTF8.self) : unsafe String(validating: bytes, as: UTF8.self)
        }
        if let text { return text }
        try checkUTF8(from: range.lowerBound, to: range.upperBound)
        throw fault(.invalidUTF8, at: range.lowerBound)
    }

    @_lifetime(self: copy self)
    private mutating func readEscapedString(from start: Int, quote: UInt8) throws(JSONError) -> String {
        try unescape(from: start, quote: quote)
        position &+= 1
        return String(decoding: scratch, as: UTF8.self)
    }

    /// Reads the rest of a string that holds an escape into the scratch text, up to the closing quote, or stops at a
    /// control character. `position` is at that byte.
    @_lifetime(self: copy self)
    private mutating func unescape(from start: Int, quote: UInt8) throws(JSONError) {
        scratch.removeAll(keepingCapacity: true)
        appendToScratch(start..<position)
        while true {
            let next = try need("a closing quote")
            if next == quote { break }
            guard next == 0x5C else { throw fault(.controlCharacter(next), at: position) }
            try readEscape()
            let plain = position
            _ = passPlainText(quote: quote)
            appendToScratch(plain..<position)
        }
        // An escape yields whole scalars and is itself ASCII: the parts are valid together if each of them is.
        try checkUTF8(from: start, to: position)
    }

    @_lifetime(self: copy self)
    private mutating func appendToScratch(_ range: Range<Int>) {
        span.extracting(range).withUnsafeBytes { unsafe scratch.append(contentsOf: $0) }
    }

    /// Reads one escape, or the two of a surrogate pair, into the scratch text.
    @_lifetime(self: copy self)
    private mutating func readEscape() throws(JSONError) {
        let start = position
        position &+= 1
        let letter = try need("an escape")
        position &+= 1
        switch letter {
        case 0x22, 0x5C, 0x2F: scratch.append(letter)
        case 0x62: scratch.append(0x08)
        case 0x66: scratch.append(0x0C)
        case 0x6E: scratch.append(0x0A)
        case 0x72: scratch.append(0x0D)
        case 0x74: scratch.append(0x09)
        case 0x27 where options.isRelaxed: scratch.append(letter)
        case 0x75:
            var code = try readHexadecimal(escape: start)
            if code & 0xFC00 == 0xD800 {
                guard try need("the second half of a surrogate pair") == 0x5C else {
                    throw fault(.loneSurrogate, at: start)
                }
                position &+= 1
                guard try need("the second half of a surrogate pair") == 0x75 else {
                    throw fault(.loneSurrogate, at: start)
                }
                position &+= 1
                let low = try readHexadecimal(escape: position &- 2)
                guard low & 0xFC00 == 0xDC00 else { throw fault(.loneSurrogate, at: start) }
                code = 0x10000 &+ (code & 0x3FF) &<< 10 &+ (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault(.loneSurrogate, at: start) }
            scratch.append(contentsOf: String(scalar).utf8)
        default: throw fault(.invalidEscape, at: start)
        }
    }

    @_lifetime(self: copy self)
    private mutating func readHexadecimal(escape start: Int) throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            let digit = try need("four hexadecimal digits")
            switch digit {
            case 0x30...0x39: code = code &<< 4 | UInt32(digit &- 0x30)
            case 0x41...0x46: code = code &<< 4 | UInt32(digit &- 0x37)
            case 0x61...0x66: code = code &<< 4 | UInt32(digit &- 0x57)
            default: throw fault(.invalidEscape, at: start)
            }
            position &+= 1
        }
        return code
    }

    /// Reads a field name without quotes, for relaxed text.
    @_lifetime(self: copy self)
    mutating func readBareName() throws(JSONError) -> String {
        try makeString(try passBareName(), isASCII: false)
    }

    /// Passes over a field name without quotes, for relaxed text.
    @_lifetime(self: copy self)
    private mutating func passBareName() throws(JSONError) -> Range<Int> {
        let start = position
        var isASCII = true
        scan: while let next = peek() {
            switch next {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x2E, 0x2D: break
            case 0x80...: isASCII = false
            default: break scan
            }
            position &+= 1
        }
        guard position > start else { throw fault(.expected("a field name"), at: start) }
        if !isASCII { try checkUTF8(from: start, to: position) }
        return start..<position
    }

    /// Checks a part of the text and names its first byte that is not UTF-8.
    func checkUTF8(from start: Int, to end: Int) throws(JSONError) {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: Span<UInt8>(_bytes: span.extracting(start..<end)))
        } catch {
            throw fault(.invalidUTF8, at: start + error.byteOffsets.lowerBound)
        }
    }
}
