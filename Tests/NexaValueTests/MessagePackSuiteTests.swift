import NexaValue
import TestKit
import Testing

/// The MessagePack test suite in `shared/data/msgpack`: every form of every value decodes to it, and our
/// encoding is one of the forms (the shortest).
@Suite(
    .enabled(
        if: SharedData.folder("msgpack") != nil, "shared/data/msgpack is missing: the MessagePack suite is skipped"))
struct MessagePackSuiteTests {
    @Test func everyFormOfEveryValue() throws {
        let folder = try #require(SharedData.folder("msgpack"))
        let suite = try JSON.decodeDocument(Files.read(folder + "/msgpack-test-suite.json"))
        var forms = 0
        for (file, cases) in suite {
            for test in cases.array ?? [] {
                let test = try #require(test.document)
                let expected = try #require(try Self.expected(test))
                let encodings = (test["msgpack"]?.array ?? []).compactMap(\.string).map { [UInt8](hex: $0) }
                try #require(!encodings.isEmpty)
                for bytes in encodings {
                    let value = try MessagePack.decode(bytes)
                    #expect(Self.isSame(value, expected), "\(file): \(bytes.hex) gave \(value), expected \(expected)")
                    try MessagePack.validate(bytes.span.bytes)
                    forms += 1
                }
                let ours = MessagePack.encode(expected)
                #expect(encodings.contains(ours), "\(file): \(expected) was encoded as \(ours.hex)")
                #expect(ours.count == encodings.map(\.count).min() || test["number"]?.double != nil)
            }
        }
        #expect(forms > 200)
    }

    private static func expected(_ test: Document) throws -> Value? {
        for (kind, value) in test {
            switch kind {
            case "nil": return .null
            case "bool", "string", "array", "map": return value
            case "binary": return .bytes([UInt8](hex: value.string ?? ""))
            case "bignum":
                let text = value.string ?? ""
                return Int64(text).map(Value.int) ?? UInt64(text).map(Value.uint)
            case "number" where test["bignum"] == nil: return value
            case "timestamp":
                let parts = value.array ?? []
                return .timestamp(Timestamp(seconds: parts[0].int ?? 0, nanoseconds: UInt32(parts[1].int ?? 0)))
            case "ext":
                let parts = value.array ?? []
                return .extended(
                    ExtendedValue(type: Int8(parts[0].int ?? 0), bytes: [UInt8](hex: parts[1].string ?? "")))
            default: continue
            }
        }
        return nil
    }

    /// The suite lists float forms of whole numbers: equal as numbers, not as values.
    private static func isSame(_ value: Value, _ expected: Value) -> Bool {
        if value == expected { return true }
        guard let left = value.double, let right = expected.double else { return false }
        return left == right
    }
}
