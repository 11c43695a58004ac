import NexaValue

/// Operators that look for text in text.
extension ExpressionFunction {
    static let stringSearch: [ExpressionFunction] = [
        ExpressionFunction("$split", 2, split),
        ExpressionFunction("$indexOfBytes", .positional(2, 4)) { (arguments, context) throws(QueryError) in
            try indexOf(arguments, &context)
        },
        ExpressionFunction("$indexOfCP", .positional(2, 4)) { (arguments, context) throws(QueryError) in
            try indexOfCodePoint(arguments, &context)
        },
        replacement("$replaceOne", isGlobal: false), replacement("$replaceAll", isGlobal: true)
    ]

    private static func split(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard case .some(.string(let text)) = arguments[0] else {
            throw .expression(
                "$split requires an expression that evaluates to a string as a first argument, found:"
                    + " \(arguments[0].typeName)")
        }
        guard case .some(.string(let separator)) = arguments[1] else {
            throw .expression(
                "$split requires an expression that evaluates to a string as a second argument, found:"
                    + " \(arguments[1].typeName)")
        }
        guard !separator.isEmpty else { throw .expression("$split requires a non-empty separator") }
        let bytes = Array(text.utf8)
        let part = ByteSearch(Array(separator.utf8))
        try context.reserve(separator.utf8.count * 8)
        try context.reserve(bytes.count)
        var pieces: [Value] = []
        var start = 0
        while true {
            try context.reserve(elements: 1)
            let place = part.firstPlace(in: bytes, start..<bytes.count) ?? bytes.count
            pieces.append(.string(String(decoding: bytes[start..<place], as: UTF8.self)))
            if place == bytes.count { return .array(pieces) }
            start = place + separator.utf8.count
        }
    }

    private static func operands(_ arguments: ExpressionArguments) throws(QueryError) -> (text: String, part: String)? {
        if arguments.isNull(0) { return nil }
        guard case .some(.string(let text)) = arguments[0] else {
            throw .expression(
                "\(arguments.name) requires a string as the first argument, found: \(arguments[0].typeName)")
        }
        guard case .some(.string(let part)) = arguments[1] else {
            throw .expression(
                "\(arguments.name) requires a string as the second argument, found: \(arguments[1].typeName)")
        }
        return (text, part)
    }

    private static func indexOf(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard let (text, part) = try operands(arguments) else { return .null }
        let bytes = Array(text.utf8)
        try context.spend(bytes.count / 16)
        try context.reserve(part.utf8.count * 8)
        guard let range = try bounds(arguments, count: bytes.count) else { return .int(-1) }
        return .int(Int64(ByteSearch(Array(part.utf8)).firstPlace(in: bytes, range) ?? -1))
    }

    private static func indexOfCodePoint(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard let (text, part) = try operands(arguments) else { return .null }
        let bytes = Array(text.utf8)
        try context.spend(bytes.count / 16)
        try context.reserve(part.utf8.count * 8)
        guard let range = try bounds(arguments, count: text.unicodeScalars.count) else { return .int(-1) }
        let scalars = text.unicodeScalars
        let first = scalars.index(scalars.startIndex, offsetBy: range.lowerBound)
        let last = scalars.index(first, offsetBy: range.count)
        let start = text.utf8.distance(from: text.startIndex, to: first)
        let end = start + text.utf8.distance(from: first, to: last)
        guard let place = ByteSearch(Array(part.utf8)).firstPlace(in: bytes, start..<end) else { return .int(-1) }
        return .int(Int64(bytes[..<place].count { $0 & 0xC0 != 0x80 }))
    }

    /// Where to look; `nil` for nowhere: the start is behind the end.
    private static func bounds(_ arguments: ExpressionArguments, count: Int) throws(QueryError) -> Range<Int>? {
        var numbers = [Int64(0), Int64(count)]
        for place in 2..<max(2, arguments.count) {
            guard let number = arguments[place]?.int else {
                throw .expression(
                    "\(arguments.name) requires an integral \(place == 2 ? "starting" : "ending") index, found a value"
                        + " of type: \(arguments[place].typeName)")
            }
            guard number >= 0 else {
                throw .expression(
                    "\(arguments.name) requires a nonnegative \(place == 2 ? "starting" : "ending") index, found:"
                        + " \(number)")
            }
            numbers[place - 2] = number
        }
        let end = min(numbers[1], Int64(count))
        return numbers[0] <= end ? Int(numbers[0])..<Int(end) : nil
    }

    private static func replacement(_ name: String, isGlobal: Bool) -> ExpressionFunction {
        let names = ["input", "find", "replacement"]
        return ExpressionFunction(name, .named(names.map { .required($0) })) {
            (arguments, context) throws(QueryError) in
            var texts: [[UInt8]] = []
            for place in 0..<3 where !arguments.isNull(place) {
                guard case .some(.string(let text)) = arguments[place] else {
                    throw .expression(
                        "\(name) requires that '\(names[place])' be a string, found: \(arguments[place].typeName)")
                }
                texts.append(Array(text.utf8))
            }
            guard texts.count == 3 else { return .null }
            return .string(try replaced(texts[0], texts[1], texts[2], isGlobal: isGlobal, &context))
        }
    }

    private static func replaced(
        _ text: [UInt8], _ part: [UInt8], _ replacement: [UInt8], isGlobal: Bool, _ context: inout ExpressionContext
    ) throws(QueryError) -> String {
        try context.reserve(text.count)
        try context.reserve(part.count * 8)
        let search = ByteSearch(part)
        var result: [UInt8] = []
        var start = 0
        // Where nothing is sought, it is found before every character and at the end.
        while let place = search.firstPlace(in: text, start..<text.count) {
            try context.reserve(replacement.count + 1)
            result += text[start..<place]
            result += replacement
            start = place + part.count
            if part.isEmpty {
                guard place < text.count else { break }
                start = place + 1
                while start < text.count, text[start] & 0xC0 == 0x80 { start += 1 }
                result += text[place..<start]
            }
            if !isGlobal { break }
        }
        result += text[start...]
        return String(decoding: result, as: UTF8.self)
    }
}

/// Bytes to be found in others in linear time, whatever both are, by the method of Knuth, Morris and Pratt:
/// https://en.wikipedia.org/wiki/Knuth–Morris–Pratt_algorithm.
struct ByteSearch {
    private let part: [UInt8]
    /// For each place, how many bytes before it are also the first ones of the part.
    private let fallbacks: [Int]

    init(_ part: [UInt8]) {
        self.part = part
        var fallbacks = [Int](repeating: 0, count: part.count)
        var length = 0
        for place in part.indices.dropFirst() {
            while length > 0, part[place] != part[length] { length = fallbacks[length - 1] }
            if part[place] == part[length] { length += 1 }
            fallbacks[place] = length
        }
        self.fallbacks = fallbacks
    }

    /// The first place within a range. An empty part is found at its start.
    func firstPlace(in bytes: [UInt8], _ range: Range<Int>) -> Int? {
        guard !part.isEmpty else { return range.lowerBound }
        var length = 0
        for place in range {
            while length > 0, bytes[place] != part[length] { length = fallbacks[length - 1] }
            if bytes[place] == part[length] { length += 1 }
            if length == part.count { return place + 1 - length }
        }
        return nil
    }
}
