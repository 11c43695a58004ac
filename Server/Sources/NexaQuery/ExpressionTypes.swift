import NexaValue

/// Kinds of values, and conversions between them.
extension ExpressionFunction {
    static let types: [ExpressionFunction] = [
        ExpressionFunction("$type", 1) { (arguments, _) throws(QueryError) in .string(arguments[0].typeName) },
        ExpressionFunction("$not", 1) { (arguments, _) throws(QueryError) in .bool(!arguments[0].isTrue) },
        ExpressionFunction("$isNumber", 1) { (arguments, _) throws(QueryError) in
            .bool(arguments[0]?.double != nil)
        },
        converting("$toInt", .int), converting("$toLong", .long), converting("$toDouble", .double),
        converting("$toBool", .bool), converting("$toDate", .date), converting("$toString", .string)
    ]

    static let convert = ExpressionFunction("$convert", .named(.convert)) { (arguments, _) throws(QueryError) in
        if arguments.isNull(1) { return arguments.isNull(0) && arguments.has(2) ? arguments[2] : .null }
        let target = try target(arguments[1])
        if arguments.isNull(0) { return arguments.has(2) ? arguments[2] : .null }
        return try Conversion.value(arguments[0] ?? .null, to: target)
    }

    private static func converting(_ name: String, _ target: Conversion.Target) -> ExpressionFunction {
        ExpressionFunction(name, 1) { (arguments, _) throws(QueryError) in
            arguments.isNull(0) ? .null : try Conversion.value(arguments[0] ?? .null, to: target)
        }
    }

    private static func target(_ value: Value?) throws(QueryError) -> Conversion.Target {
        if let code = value?.int {
            guard let target = Conversion.Target.codes[code] else {
                throw .unknownTarget("\(code)")
            }
            return target
        }
        guard case .some(.string(let name)) = value else {
            throw .expression("$convert's 'to' argument must be a string or number, but is \(value.typeName)")
        }
        guard let target = Conversion.Target(rawValue: name) else { throw .unknownTarget(name) }
        return target
    }
}

extension QueryError {
    static func unknownTarget(_ name: String) -> QueryError {
        let names = Conversion.Target.allCases.map(\.rawValue).joined(separator: ", ")
        return .expression("$convert cannot convert to \"\(name.prefix(40))\"; it converts to \(names)")
    }
}

/// What `$convert` and its short forms do.
enum Conversion {
    enum Target: String, CaseIterable {
        case double, string, bool, date, int, long

        /// The numbers that stand for kinds, as in `$type`.
        static let codes: [Int64: Target] = [1: .double, 2: .string, 8: .bool, 9: .date, 16: .int, 18: .long]
    }

    static func value(_ value: Value, to target: Target) throws(QueryError) -> Value {
        switch target {
        case .bool: return bool(value)
        case .string: return try string(value)
        case .double: return try double(value)
        case .date: return try date(value)
        case .int, .long: return try integer(value, target)
        }
    }

    private static func unsupported(_ value: Value, _ target: Target) -> QueryError {
        .expression(
            "Unsupported conversion from \(Optional(value).typeName) to \(target.rawValue) in $convert with no onError"
                + " value")
    }

    private static func bool(_ value: Value) -> Value {
        // A string is true even when it is empty, as all other kinds are.
        .bool(Optional(value).isTrue)
    }

    private static func string(_ value: Value) throws(QueryError) -> Value {
        switch value {
        case .string: return value
        case .bool(let flag): return .string(flag ? "true" : "false")
        case .int(let number): return .string(String(number))
        case .uint(let number): return .string(String(number))
        case .double(let number): return .string(number.shortText)
        case .timestamp(let date): return .string(DateText.iso(try date.milliseconds("$toString")))
        default: throw unsupported(value, .string)
        }
    }

    private static func double(_ value: Value) throws(QueryError) -> Value {
        switch value {
        case .bool(let flag): return .double(flag ? 1 : 0)
        case .int, .uint, .double: return .double(value.double ?? .nan)
        case .timestamp(let date): return .double(Double(try date.milliseconds("$toDouble")))
        case .string(let text):
            let names: [String: Double] = [
                "nan": .nan, "inf": .infinity, "infinity": .infinity, "+inf": .infinity, "+infinity": .infinity,
                "-inf": -.infinity, "-infinity": -.infinity
            ]
            if text.utf8.count <= 9, let special = names[text.lowercased()] { return .double(special) }
            // Only decimal forms: no hexadecimal, no blanks.
            let isDecimal = text.utf8.allSatisfy {
                $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2E || $0 == 0x2B || $0 == 0x2D || $0 | 0x20 == 0x65
            }
            guard isDecimal, text.utf8.count <= 1000, let number = Double(text) else {
                throw unparsable(text, "Did not consume whole string.")
            }
            guard number.isFinite else { throw unparsable(text, "Out of range") }
            return .double(number)
        default: throw unsupported(value, .double)
        }
    }

    private static func unparsable(_ text: String, _ reason: String) -> QueryError {
        .expression(
            "Failed to parse number '\(text.prefix(80))' in $convert with no onError value: \(reason)")
    }

    private static func integer(_ value: Value, _ target: Target) throws(QueryError) -> Value {
        let number: Int64?
        switch value {
        case .bool(let flag): number = flag ? 1 : 0
        case .int(let integer): number = integer
        case .uint: number = nil
        case .double(let double):
            guard double.isFinite else {
                throw .expression(
                    "Attempt to convert \(double.isNaN ? "NaN" : "infinity") value to integer type in $convert with no"
                        + " onError value")
            }
            number = Int64(exactly: double.rounded(.towardZero))
        case .timestamp(let date) where target == .long: return .int(try date.milliseconds("$toLong"))
        case .string(let text):
            guard text.utf8.count <= 100, let parsed = Int64(text) else {
                let isNumber = !text.isEmpty && text.utf8.dropFirst().allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
                throw unparsable(text, isNumber ? "Overflow" : "Did not consume whole string.")
            }
            number = parsed
        default: throw unsupported(value, target)
        }
        guard let number, target == .long || Int32(exactly: number) != nil else {
            throw .expression(
                "Conversion would overflow target type in $convert with no onError value: \(text(of: value))")
        }
        return .int(number)
    }

    private static func text(of value: Value) -> String {
        switch value {
        case .int(let number): String(number)
        case .uint(let number): String(number)
        case .double(let number): number.shortText
        case .string(let text): text
        default: ""
        }
    }

    private static func date(_ value: Value) throws(QueryError) -> Value {
        switch value {
        case .timestamp: return value
        case .int(let milliseconds): return .timestamp(try Timestamp.checked(milliseconds, "$toDate"))
        case .double(let milliseconds):
            guard let whole = Int64(exactly: milliseconds.rounded(.towardZero)) else {
                throw .expression(
                    "Conversion would overflow target type in $convert with no onError value:"
                        + " \(milliseconds.shortText)")
            }
            return .timestamp(try Timestamp.checked(whole, "$toDate"))
        case .string(let text):
            guard let date = DateText.parse(text, offset: 0) else {
                throw .expression("Error parsing date string '\(text.prefix(80))'")
            }
            return .timestamp(date)
        default: throw unsupported(value, .date)
        }
    }
}
