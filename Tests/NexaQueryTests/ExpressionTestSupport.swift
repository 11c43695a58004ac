import Glibc
import NexaQuery
import NexaValue
import Testing

/// One row: an expression and the value it has for a document, all in relaxed JSON.
struct ExpressionRow: Sendable, CustomTestStringConvertible {
    let expression: String
    /// `nil` is no value at all.
    let expected: String?
    let document: String

    init(_ expression: String, _ expected: String?, on document: String = "{}") {
        self.expression = expression
        self.expected = expected
        self.document = document
    }

    var testDescription: String { "\(expression) on \(document)" }
}

/// One row: an expression that cannot be evaluated, and a part of the error's text.
struct ExpressionFailure: Sendable, CustomTestStringConvertible {
    let expression: String
    let message: String
    let document: String

    init(_ expression: String, _ message: String, on document: String = "{}") {
        self.expression = expression
        self.message = message
        self.document = document
    }

    var testDescription: String { "\(expression) on \(document)" }
}

/// Relaxed JSON as any value, with dates written `{$date: '2024-02-29T12:34:56.789Z'}`.
func relaxedValue(_ text: String) throws -> Value {
    withDates(try #require(try JSON.decodeDocument("{v: \(text)}", JSON.Options(isRelaxed: true))["v"]))
}

private func withDates(_ value: Value) -> Value {
    switch value {
    case .array(let values): return .array(values.map(withDates))
    case .document(let document):
        if document.count == 1, let text = document["$date"]?.string { return .timestamp(date(text)) }
        return .document(Document(document.map { ($0.key, withDates($0.value)) }))
    default: return value
    }
}

/// `2024-02-29T12:34:56.789Z` by the C library.
func date(_ text: String) -> Timestamp {
    let numbers = text.split { "-T:.Z".contains($0) }.compactMap { Int($0) }
    var parts = tm()
    parts.tm_year = CInt(numbers[0] - 1900)
    parts.tm_mon = CInt(numbers[1] - 1)
    parts.tm_mday = CInt(numbers[2])
    if numbers.count > 3 {
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (CInt(numbers[3]), CInt(numbers[4]), CInt(numbers[5]))
    }
    let milliseconds = numbers.count > 6 ? numbers[6] : 0
    return Timestamp(seconds: Int64(timegm(&parts)), nanoseconds: UInt32(milliseconds * 1_000_000))
}

/// Evaluates an expression on the decoded and on the encoded document; both must say the same.
func evaluate(
    _ expression: Value, on document: Document = [:], _ context: ExpressionContext = testContext
) throws -> Value? {
    let compiled = try Expression(compiling: expression, variables: Set(context.variables.keys))
    let bytes = MessagePack.encode(document)
    var context = context
    let encoded = Result { try compiled.evaluate(encoded: bytes.span.bytes, &context) }
    let decoded = Result { try compiled.evaluate(document, &context) }
    switch (decoded, encoded) {
    case (.success(let left), .success(let right)):
        #expect(same(left, right), "the encoded document gives another value")
    case (.failure(let left), .failure(let right)): #expect("\(left)" == "\(right)")
    default: Issue.record("decoded: \(decoded), encoded: \(encoded)")
    }
    return try decoded.get()
}

/// Equality that takes NaN for itself and tells 1 from 1.0.
func same(_ left: Value?, _ right: Value?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    if case (.double(let left), .double(let right)) = (left, right), left.isNaN { return right.isNaN }
    return MessagePack.encode(left) == MessagePack.encode(right)
}

/// 2024-02-29T12:34:56.789Z
let testContext = ExpressionContext(now: Timestamp(seconds: 1_709_210_096, nanoseconds: 789_000_000))

func check(_ row: ExpressionRow) throws {
    let value = try evaluate(relaxedValue(row.expression), on: relaxedValue(row.document).document ?? [:])
    let expected = try row.expected.map(relaxedValue)
    #expect(same(value, expected), "found \(value.map { "\($0)" } ?? "nothing")")
}

func check(_ row: ExpressionFailure) throws {
    let error = QueryError.of {
        _ = try evaluate(relaxedValue(row.expression), on: relaxedValue(row.document).document ?? [:])
    }
    let message = try #require(error, "no error").message
    #expect(message.contains(row.message), "found \(message)")
}
