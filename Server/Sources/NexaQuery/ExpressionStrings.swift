import NexaValue

/// Operators on text: case, parts, lengths and blanks.
extension ExpressionFunction {
    static let strings: [ExpressionFunction] = [
        ExpressionFunction("$concat", .positional(0, .max), concatenated),
        ExpressionFunction("$toLower", 1) { (arguments, _) throws(QueryError) in
            .string(try text(arguments, 0).asciiCased(from: 0x41...0x5A))
        },
        ExpressionFunction("$toUpper", 1) { (arguments, _) throws(QueryError) in
            .string(try text(arguments, 0).asciiCased(from: 0x61...0x7A))
        },
        ExpressionFunction("$strcasecmp", 2) { (arguments, _) throws(QueryError) in
            let left = try text(arguments, 0).asciiCased(from: 0x61...0x7A)
            let right = try text(arguments, 1).asciiCased(from: 0x61...0x7A)
            return .int(Int64(left.utf8Span.span.bytes.compare(right.utf8Span.span.bytes).signum()))
        },
        ExpressionFunction("$strLenBytes", 1) { (arguments, _) throws(QueryError) in
            .int(Int64(try string(arguments).utf8.count))
        },
        ExpressionFunction("$strLenCP", 1) { (arguments, context) throws(QueryError) in
            let text = try string(arguments)
            try context.spend(text.utf8.count / 64)
            return .int(Int64(text.unicodeScalars.count))
        },
        ExpressionFunction("$substrBytes", 3, bytes),
        ExpressionFunction("$substr", 3, bytes),
        ExpressionFunction("$substrCP", 3, codePoints),
        trimming("$trim", atStart: true, atEnd: true), trimming("$ltrim", atStart: true, atEnd: false),
        trimming("$rtrim", atStart: false, atEnd: true)
    ]

    /// An argument as text, the way operators that take other kinds too see it.
    static func text(_ arguments: ExpressionArguments, _ place: Int) throws(QueryError) -> String {
        switch arguments[place] {
        case nil, .some(.null): return ""
        case .some(.string(let text)): return text
        case .some(.int(let number)): return String(number)
        case .some(.uint(let number)): return String(number)
        case .some(.double(let number)): return number.shortText
        case .some(.timestamp(let date)): return DateText.iso(try date.milliseconds(arguments.name))
        default: throw .expression("can't convert from BSON type \(arguments[place].typeName) to String")
        }
    }

    private static func string(_ arguments: ExpressionArguments) throws(QueryError) -> String {
        guard case .some(.string(let text)) = arguments[0] else {
            throw .expression("\(arguments.name) requires a string argument, found: \(arguments[0].typeName)")
        }
        return text
    }

    private static func concatenated(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var result = ""
        var hasNull = false
        for value in arguments.values {
            switch value {
            case nil, .some(.null): hasNull = true
            case .some(.string(let text)):
                try context.reserve(text.utf8.count)
                result += text
            default: throw .expression("$concat only supports strings, not \(value.typeName)")
            }
        }
        return hasNull ? .null : .string(result)
    }

    // MARK: Parts

    private static func number(
        _ arguments: ExpressionArguments, _ place: Int, _ what: String
    ) throws(QueryError) -> Int {
        guard let number = arguments[place]?.double, !number.isNaN else {
            throw .expression(
                "\(arguments.name):  \(what) must be a numeric type (is BSON type \(arguments[place].typeName))")
        }
        return Int(max(-4e18, min(4e18, number)))
    }

    private static func bytes(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let text = try text(arguments, 0)
        let start = try number(arguments, 1, "starting index")
        let length = try number(arguments, 2, "length")
        guard start >= 0 else {
            throw .expression("\(arguments.name):  starting index must be non-negative (got: \(start))")
        }
        let count = text.utf8.count
        guard start < count, length != 0 else { return .string("") }
        let end = length < 0 ? count : min(count, start + length)
        let first = text.utf8.index(text.startIndex, offsetBy: start)
        let last = text.utf8.index(first, offsetBy: end - start)
        guard first.isScalarBoundary(in: text) else {
            throw .expression(
                "\(arguments.name):  Invalid range, starting index is a UTF-8 continuation byte.")
        }
        guard last.isScalarBoundary(in: text) else {
            throw .expression(
                "\(arguments.name):  Invalid range, ending index is in the middle of a UTF-8 character.")
        }
        return .string(String(text[first..<last]))
    }

    private static func codePoints(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let text = try text(arguments, 0)
        let start = try number(arguments, 1, "starting index")
        let length = try number(arguments, 2, "length")
        guard start >= 0 else { throw .expression("$substrCP: the starting index must be a non-negative integer") }
        guard length >= 0 else { throw .expression("$substrCP: length must be a nonnegative integer") }
        try context.spend(text.utf8.count / 64)
        let scalars = text.unicodeScalars
        guard let first = scalars.index(scalars.startIndex, offsetBy: start, limitedBy: scalars.endIndex) else {
            return .string("")
        }
        let last = scalars.index(first, offsetBy: length, limitedBy: scalars.endIndex) ?? scalars.endIndex
        return .string(String(scalars[first..<last]))
    }

    // MARK: Blanks

    private static func trimming(_ name: String, atStart: Bool, atEnd: Bool) -> ExpressionFunction {
        ExpressionFunction(name, .named([.required("input"), .optional("chars")])) {
            (arguments, context) throws(QueryError) in
            if arguments.isNull(0) { return .null }
            guard case .some(.string(let text)) = arguments[0] else {
                throw .expression("\(name) requires its input to be a string, got \(arguments[0].typeName) instead.")
            }
            var unwanted = blanks
            if arguments.has(1) {
                if arguments.isNull(1) { return .null }
                guard case .some(.string(let characters)) = arguments[1] else {
                    throw .expression("\(name) requires 'chars' to be a string, got \(arguments[1].typeName) instead.")
                }
                try context.spend(characters.utf8.count)
                unwanted = Set(characters.unicodeScalars)
            }
            var rest = Substring(text).unicodeScalars
            if atStart { rest = rest.drop { unwanted.contains($0) } }
            if atEnd { while let last = rest.last, unwanted.contains(last) { rest.removeLast() } }
            try context.spend(text.utf8.count - rest.count)
            return .string(String(rest))
        }
    }

    /// What the manual calls whitespace: NUL, and blanks of ASCII and of Unicode up to the hair space.
    private static let blanks: Set<Unicode.Scalar> = [
        "\0", " ", "\t", "\n", "\u{B}", "\u{C}", "\r", "\u{A0}", "\u{1680}", "\u{2000}", "\u{2001}", "\u{2002}",
        "\u{2003}", "\u{2004}", "\u{2005}", "\u{2006}", "\u{2007}", "\u{2008}", "\u{2009}", "\u{200A}"
    ]
}

extension String.Index {
    /// Whether a character of UTF-8 begins here, or the text ends.
    func isScalarBoundary(in text: String) -> Bool {
        self == text.endIndex || text.utf8[self] & 0xC0 != 0x80
    }
}

extension String {
    /// The letters of a range of ASCII in the other case.
    func asciiCased(from range: ClosedRange<UInt8>) -> String {
        guard utf8.contains(where: { range.contains($0) }) else { return self }
        return String(decoding: utf8.map { range.contains($0) ? $0 ^ 0x20 : $0 }, as: UTF8.self)
    }
}

extension Double {
    /// The number as `$toString` writes it: the fewest digits that read back as the same, none after a whole number.
    var shortText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Infinity" : "Infinity" }
        if self == rounded(), abs(self) < 1e15 { return self == 0 && sign == .minus ? "-0" : String(Int64(self)) }
        var text = "\(self)"
        if text.hasSuffix(".0") { text.removeLast(2) }
        guard let exponent = text.utf8.firstIndex(of: UInt8(ascii: "e")), text[..<exponent].hasSuffix(".0") else {
            return text
        }
        return String(text[..<exponent].dropLast(2)) + text[exponent...]
    }
}
