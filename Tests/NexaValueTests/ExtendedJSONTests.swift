import NexaValue
import TestKit
import Testing

/// MongoDB's Extended JSON (version 2), canonical and relaxed, in both directions.
@Suite struct ExtendedJSONTests {
    private static let reading = JSON.Options(readsExtendedForms: true)

    /// The examples of the specification, and what they are here.
    static let forms: [(text: String, value: Value)] = [
        (#"{"$oid":"5F1A2b3c4d5e6f7081920a0b"}"#, "5f1a2b3c4d5e6f7081920a0b"),
        (#"{"$numberInt":"-42"}"#, -42), (#"{"$numberLong":"-9223372036854775808"}"#, .int(.min)),
        (#"{"$numberLong":"18446744073709551615"}"#, .uint(.max)),
        (#"{"$numberDouble":"1.5E+3"}"#, 1500.0), (#"{"$numberDouble":"-0.0"}"#, .double(-0.0)),
        (#"{"$numberDouble":"-Infinity"}"#, .double(-.infinity)),
        (#"{"$numberDecimal":"12.50"}"#, "12.50"), (#"{"$numberDecimal":"-1E-6176"}"#, "-1E-6176"),
        (#"{"$numberDecimal":"NaN"}"#, "NaN"),
        (#"{"$binary":{"base64":"AAH/","subType":"00"}}"#, .bytes([0, 1, 255])),
        (#"{"$binary":{"base64":"AAH/","subType":"80"}}"#, .bytes([0, 1, 255])),
        (
            #"{"$binary":{"base64":"EjRWeBI0VngSNFZ4EjRWeA==","subType":"04"}}"#,
            "12345678-1234-5678-1234-567812345678"
        ),
        (#"{"$uuid":"12345678-1234-5678-1234-5678ABCDEF78"}"#, "12345678-1234-5678-1234-5678abcdef78"),
        (
            #"{"$date":{"$numberLong":"1577934245678"}}"#,
            .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 678_000_000))
        ),
        (#"{"$date":{"$numberLong":"-1"}}"#, .timestamp(Timestamp(seconds: -1, nanoseconds: 999_000_000))),
        (
            #"{"$date":"2020-01-02T03:04:05.678Z"}"#,
            .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 678_000_000))
        ),
        (#"{"$date":"2020-01-02T05:34:05+02:30"}"#, .timestamp(Timestamp(seconds: 1_577_934_245))),
        (
            #"{"$date":"2020-01-01T22:04:05.5-0500"}"#,
            .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 500_000_000))
        ),
        (#"{"$date":"0000-02-29T00:00:00Z"}"#, .timestamp(Timestamp(seconds: -62_162_121_600))),
        (#"{"$date":1577934245678}"#, .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 678_000_000))),
        (#"{"$timestamp":{"t":1600000000,"i":3}}"#, .timestamp(Timestamp(seconds: 1_600_000_000, nanoseconds: 3))),
        (#"{"$regularExpression":{"pattern":"^a.b$","options":"im"}}"#, "/^a.b$/im"),
        (#"{"$undefined":true}"#, .null), (#"{"$minKey":1}"#, "MinKey"), (#"{"$maxKey":1}"#, "MaxKey"),
        (#"{"$code":"f()"}"#, "f()"), (#"{"$symbol":"s"}"#, "s"),
        (#"{"$ref":"films","$id":"x"}"#, ["$ref": "films", "$id": "x"]), (#"{"$gt":1}"#, ["$gt": 1])
    ]

    @Test(arguments: forms) func isRead(text: String, value: Value) throws {
        #expect(try JSON.decode(text, Self.reading) == value)
        #expect(try JSON.decode("{\"a\":[1,\(text)]}", Self.reading) == ["a": [1, value]])
        var writer = MessagePackWriter()
        try JSON.transcode("{\"a\":[1,\(text)]}".utf8Span.span.bytes, Self.reading, into: &writer)
        #expect(try MessagePack.decode(writer.bytes) == ["a": [1, value]])
        #expect(try JSON.decode(text).document != nil, "not unless asked for")
    }

    @Test(arguments: [
        #"{"$oid":"5f1a2b3c4d5e6f7081920a0"}"#, #"{"$oid":"5f1a2b3c4d5e6f7081920a0g"}"#, #"{"$oid":1}"#,
        #"{"$numberInt":"+1"}"#, #"{"$numberInt":1}"#, #"{"$numberLong":"1.5"}"#,
        #"{"$numberLong":"99999999999999999999"}"#,
        #"{"$numberDouble":"nan"}"#, #"{"$numberDouble":"0x10"}"#, #"{"$numberDouble":"1e999"}"#,
        #"{"$numberDouble":""}"#,
        #"{"$numberDecimal":""}"#, #"{"$numberDecimal":"E"}"#, #"{"$numberDecimal":"1; drop"}"#,
        #"{"$date":"2020-13-01T00:00:00Z"}"#, #"{"$date":"2021-02-29T00:00:00Z"}"#,
        #"{"$date":"2020-01-01T24:00:00Z"}"#,
        #"{"$date":"2020-01-01"}"#, #"{"$date":"2020-01-01T00:00:00"}"#, #"{"$date":"2020-01-01T00:00:00.Z"}"#,
        #"{"$date":"2020-01-01T00:00:00+1"}"#, #"{"$date":"2020-01-01T00:00:00+01:"}"#, #"{"$date":1.5}"#,
        #"{"$date":{"a":1}}"#,
        #"{"$timestamp":{"t":1}}"#, #"{"$timestamp":{"t":-1,"i":1}}"#, #"{"$regularExpression":{"pattern":"a"}}"#,
        #"{"$uuid":"12345678-1234-5678-1234-5678abcdef7"}"#, #"{"$undefined":false}"#, #"{"$minKey":2}"#,
        #"{"$code":1}"#
    ])
    func nonsenseIsRefused(text: String) {
        #expect(throws: JSONError.self) { try JSON.decode(text, Self.reading) }
        var writer = MessagePackWriter()
        #expect(throws: JSONError.self) { try JSON.transcode(text.utf8Span.span.bytes, Self.reading, into: &writer) }
        #expect(writer.count == 0)
    }

    @Test func isWritten() throws {
        let value: Value = [
            "int": 5, "long": .int(1 << 40), "unsigned": .uint(.max), "double": 1.0, "nan": .double(.nan),
            "bytes": .bytes([0, 1, 255]), "vector": .vector([1.5]),
            "date": .timestamp(Timestamp(seconds: 1_577_934_245, nanoseconds: 678_000_000)),
            "old": .timestamp(Timestamp(seconds: -1, nanoseconds: 999_000_000)),
            "fine": .timestamp(Timestamp(seconds: 0, nanoseconds: 1))
        ]
        #expect(
            try JSON.string(value, .relaxedExtended)
                == #"{"int":5,"long":1099511627776,"unsigned":18446744073709551615,"double":1.0,"#
                + #""nan":{"$numberDouble":"NaN"},"bytes":{"$binary":{"base64":"AAH/","subType":"00"}},"#
                + #""vector":[1.5],"date":{"$date":"2020-01-02T03:04:05.678Z"},"#
                + #""old":{"$date":{"$numberLong":"-1"}},"fine":{"$date":"1970-01-01T00:00:00.000000001Z"}}"#)
        #expect(
            try JSON.string(value, .canonicalExtended)
                == #"{"int":{"$numberInt":"5"},"long":{"$numberLong":"1099511627776"},"#
                + #""unsigned":{"$numberLong":"18446744073709551615"},"double":{"$numberDouble":"1.0"},"#
                + #""nan":{"$numberDouble":"NaN"},"bytes":{"$binary":{"base64":"AAH/","subType":"00"}},"#
                + #""vector":[{"$numberDouble":"1.5"}],"date":{"$date":{"$numberLong":"1577934245678"}},"#
                + #""old":{"$date":{"$numberLong":"-1"}},"fine":{"$date":"1970-01-01T00:00:00.000000001Z"}}"#)
    }

    @Test(arguments: [JSON.EncodingOptions.relaxedExtended, .canonicalExtended])
    func isReadBack(options: JSON.EncodingOptions) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<3000 {
            let value = Self.value(&random, depth: 0)
            let text = try JSON.string(value, options)
            let back = try JSON.decode(text, Self.reading)
            // NaN differs from itself, so the texts are compared.
            #expect(
                try JSON.string(back, .canonicalExtended) == JSON.string(value, .canonicalExtended),
                "seed \(seed): \(text)")
        }
    }

    @Test(arguments: [Int64.min, -9_223_372_036_854_776, -62_167_219_201, 253_402_300_800, 9_223_372_036_854_775, .max])
    func farDatesAreWritten(seconds: Int64) throws {
        for nanoseconds: UInt32 in [0, 999_999_999] {
            let value = Value.timestamp(Timestamp(seconds: seconds, nanoseconds: nanoseconds))
            for options in [JSON.EncodingOptions.relaxedExtended, .canonicalExtended] {
                guard case .timestamp = try JSON.decode(try JSON.string(value, options), Self.reading) else {
                    Issue.record("\(seconds) is no date any more")
                    continue
                }
            }
        }
    }

    private static func value(_ random: inout SplitMix64, depth: Int) -> Value {
        switch Int.random(in: 0..<(depth < 3 ? 10 : 8), using: &random) {
        case 0: .null
        case 1: .bool(.random(using: &random))
        case 2: .int(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<64, using: &random))
        case 3: Value(UInt64.random(in: UInt64(Int64.max) ... .max, using: &random))
        case 4: .double(Double(bitPattern: UInt64.random(in: .min ... .max, using: &random)))
        case 5: .string("t\(Int.random(in: 0..<1000, using: &random))")
        case 6:
            .bytes((0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        case 7:
            .timestamp(
                Timestamp(
                    seconds: Int64.random(in: -62_167_219_200...253_402_300_799, using: &random),
                    nanoseconds: [0, 678_000_000, 678_901_000, 1][Int.random(in: 0..<4, using: &random)]))
        case 8: .array((0..<3).map { _ in value(&random, depth: depth + 1) })
        default:
            .document(Document((0..<3).map { ("k\($0)", value(&random, depth: depth + 1)) }))
        }
    }
}
