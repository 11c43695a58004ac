import NexaValue
import Testing

@Suite struct JSONEncodingTests {
    @Test(
        arguments: [
            (.null, "null"), (true, "true"), (false, "false"), (0, "0"), (-7, "-7"), (1_234_567_890, "1234567890"),
            (.int(.min), "-9223372036854775808"), (.uint(.max), "18446744073709551615"), (1.0, "1.0"),
            (.double(-0.0), "-0.0"),
            (0.1, "0.1"), (.double(1e22), "1e+22"), (.double(.leastNonzeroMagnitude), "5e-324"), ("", "\"\""),
            ("é€𝄞", "\"é€𝄞\""),
            ("\"\\/\u{8}\u{9}\u{A}\u{C}\u{D}\u{0}\u{1F}\u{7F}", "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7F}\""),
            ([], "[]"), ([:], "{}"), ([1, [2, "x"], [:]], "[1,[2,\"x\"],{}]"),
            (["b": 1, "a": [nil]], "{\"b\":1,\"a\":[null]}"),
            (.vector([0.1, 1, -2.5]), "[0.1,1.0,-2.5]"), (.bytes([]), #"{"$binary":{"base64":"","subType":"00"}}"#),
            (.bytes([0xFB, 0xFF]), #"{"$binary":{"base64":"+/8=","subType":"00"}}"#),
            (.extended(ExtendedValue(type: 5, bytes: [1])), #"{"$extension":{"base64":"AQ==","type":5}}"#),
            (.timestamp(Timestamp(seconds: 0)), "\"1970-01-01T00:00:00Z\""),
            (.timestamp(Timestamp(seconds: 951_826_554, nanoseconds: 120_000_000)), "\"2000-02-29T12:15:54.120Z\""),
            (.timestamp(Timestamp(seconds: 1_700_000_000, nanoseconds: 1000)), "\"2023-11-14T22:13:20.000001Z\""),
            (.timestamp(Timestamp(seconds: -1, nanoseconds: 1)), "\"1969-12-31T23:59:59.000000001Z\""),
            (.timestamp(Timestamp(seconds: 253_402_300_800)), "\"+10000-01-01T00:00:00Z\""),
            (.timestamp(Timestamp(seconds: -62_167_219_201)), "\"-0001-12-31T23:59:59Z\""),
            (.timestamp(Timestamp(seconds: .max)), "\"+292277026596-12-04T15:30:07Z\""),
            (.timestamp(Timestamp(seconds: .min)), "\"-292277022657-01-27T08:29:52Z\"")
        ] as [(Value, String)])
    func writesCompactText(value: Value, text: String) throws {
        #expect(try JSON.string(value) == text)
    }

    @Test func writesPrettyText() throws {
        let document: Document = ["b": 1, "a": [1, ["x": nil]], "e": [:], "d": [], "ä": "ö", "A": 1.0]
        #expect(
            try JSON.string(document, .pretty) == """
                {
                  "b": 1,
                  "a": [
                    1,
                    {
                      "x": null
                    }
                  ],
                  "e": {},
                  "d": [],
                  "ä": "ö",
                  "A": 1.0
                }
                """)
        #expect(
            try JSON.string(document, JSON.EncodingOptions(sortsKeys: true))
                == #"{"A":1.0,"a":[1,{"x":null}],"b":1,"d":[],"e":{},"ä":"ö"}"#)
    }

    @Test func nonFiniteNumbersAreAChoice() throws {
        let value: Value = ["a": [.double(.infinity), .double(-.infinity)], "b": .vector([.nan])]
        #expect(throws: JSONEncodingError(.nonFiniteNumber(.infinity))) { try JSON.encode(value) }
        #expect(try JSON.string(value, .init(nonFiniteNumbers: .null)) == #"{"a":[null,null],"b":[null]}"#)
        let text = try JSON.string(value, .init(nonFiniteNumbers: .extendedForm))
        #expect(
            text
                == #"{"a":[{"$numberDouble":"Infinity"},{"$numberDouble":"-Infinity"}],"b":[{"$numberDouble":"NaN"}]}"#)
        let back = try JSON.decodeDocument(text, JSON.Options(readsExtendedForms: true))
        #expect(back[path: "a.1"] == .double(-.infinity))
        #expect(back[path: "b.0"]?.double?.isNaN == true)
    }

    @Test func appendingKeepsWhatIsThereAndUndoesItselfOnError() throws {
        var buffer = Array("x".utf8)
        try JSON.append(["a": 1] as Document, to: &buffer)
        #expect(String(decoding: buffer, as: UTF8.self) == "x{\"a\":1}")
        #expect(throws: JSONEncodingError.self) { try JSON.append([1, .double(.nan)] as Value, to: &buffer) }
        #expect(String(decoding: buffer, as: UTF8.self) == "x{\"a\":1}")
    }

    @Test func tooDeepIsAnErrorAndNotACrash() throws {
        var value: Value = 1
        for _ in 0..<256 { value = [value] }
        #expect(try JSON.decode(JSON.encode(value)) == value)
        value = ["a": value]
        #expect(throws: JSONEncodingError(.tooDeep(limit: 256))) { try JSON.encode(value) }
    }

    @Test(arguments: [
        #"{"$binary":{"base64":"AA==","subType":"00"}}"#, #"{"$binary":{"base64":"AAA=","subType":"00"}}"#,
        #"{"$binary":{"base64":"AAAA","subType":"00"}}"#, #"{"$extension":{"base64":"AQID","type":-7}}"#
    ])
    func readsExtendedFormsWhenAsked(text: String) throws {
        let options = JSON.Options(readsExtendedForms: true)
        let value = try JSON.decode(text, options)
        #expect(value.document == nil)
        #expect(try JSON.string(value) == text)
        #expect(try JSON.decode(text).document?.count == 1)
        #expect(try JSON.decodeDocument("{\"a\":[\(text)],\"$binary\":1}", options)[path: "a.0"] == value)
    }

    @Test(arguments: [
        #"{"$binary":{"base64":"A","subType":"00"}}"#, #"{"$binary":{"base64":"AB==","subType":"00"}}"#,
        #"{"$binary":{"base64":"====","subType":"00"}}"#, #"{"$binary":{"base64":"AA=A","subType":"00"}}"#,
        #"{"$binary":{"base64":"AA==","subType":"xx"}}"#, #"{"$binary":1}"#, #"{"$numberDouble":"1x"}"#,
        #"{"$extension":{"base64":"AQID","type":128}}"#, #"{"$binary":{"base64":"é===","subType":"00"}}"#
    ])
    func refusesBrokenExtendedForms(text: String) {
        let error = #expect(throws: JSONError.self) {
            try JSON.decode("[1,\n " + text + "]", JSON.Options(readsExtendedForms: true))
        }
        #expect(error?.line == 2 && error?.column == 2)
        #expect(throws: Never.self) { try JSON.decode(text) }
    }
}
