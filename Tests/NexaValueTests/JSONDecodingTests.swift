import NexaValue
import Testing

@Suite struct JSONDecodingTests {
    @Test(
        arguments: [
            ("1", .int(1)), ("-1", .int(-1)), ("0", .int(0)), ("9223372036854775807", .int(.max)),
            ("-9223372036854775808", .int(.min)), ("9223372036854775808", .uint(1 << 63)),
            ("18446744073709551615", .uint(.max)), ("18446744073709551616", .double(18_446_744_073_709_551_616)),
            ("-9223372036854775809", .double(-9_223_372_036_854_775_808)), ("99999999999999999999", .double(1e20)),
            ("1.0", .double(1)), ("1e0", .double(1)), ("1E+2", .double(100)), ("12.5e-1", .double(1.25)),
            ("0.1", .double(0.1)), ("123456789012345678.5", .double(123456789012345678.5)),
            ("9007199254740993.0", .double(9_007_199_254_740_992)), ("5e-324", .double(.leastNonzeroMagnitude)),
            ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)), ("1e23", .double(1e23)),
            ("1e-400", .double(0)),
            ("0e999999999999999999999", .double(0)), (" \t\r\n true \n", true), ("false", false), ("null", .null),
            ("\"\"", ""), ("[]", []), ("{}", [:]), ("[ ]", []), ("{ }", [:]),
            ("[1,[2,{\"a\":[]}],3]", [1, [2, ["a": []]], 3]),
            ("{\"a\":1,\"b\":{\"c\":[1.5,\"x\"]},\"d\":null}", ["a": 1, "b": ["c": [1.5, "x"]], "d": nil]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC\uD834\udd1e\u0000""#, "é€𝄞\0"),
            ("\"é€𝄞 and more than eight bytes\"", "é€𝄞 and more than eight bytes")
        ] as [(String, Value)])
    func decodes(text: String, value: Value) throws {
        #expect(try JSON.decode(text) == value)
        #expect(try JSON.decode(text, .relaxed) == value)
        #expect(try JSON.decode("[" + text + "]") == [value])
        #expect(try JSON.decode("{\"k\": " + text + " }") == ["k": value])
    }

    @Test func minusZeroKeepsItsSign() throws {
        let zeros = ["-0", "-0.0", "-0e5", "-1e-400"]
        for text in zeros { #expect(try JSON.decode(text).double?.sign == .minus, "\(text)") }
        #expect(try JSON.decode("-0").kindName == "double")
    }

    @Test func longNumbersRoundAsShortOnes() throws {
        let zeros = String(repeating: "0", count: 5000)
        let pairs: [(String, Double)] = [
            ("1\(zeros)e-5000", 1), ("0.\(zeros)1e5001", 1), ("9007199254740993.\(zeros)", 9_007_199_254_740_992),
            ("9007199254740993.\(zeros)1", 9_007_199_254_740_994),
            ("-9007199254740993.\(zeros)1", -9_007_199_254_740_994),
            ("0.\(zeros)e9", 0), ("1.\(zeros)5e3", 1000)
        ]
        for (text, number) in pairs { #expect(try JSON.decode(text) == .double(number), "\(text.prefix(30))…") }
        #expect(JSON.fault("1\(zeros)") == "number out of range at line 1 column 1")
    }

    @Test(arguments: [
        ("", "the text ends, expected a value at line 1 column 1"),
        ("{\"title\": \"Heat\",}", "expected a field name in double quotes at line 1 column 18"),
        ("{\"a\" 1}", "expected ':' at line 1 column 6"), ("{\"a\":}", "expected a value at line 1 column 6"),
        ("{\"a\":1 \"b\":2}", "expected ',' or '}' at line 1 column 8"),
        ("[1 2]", "expected ',' or ']' at line 1 column 4"),
        ("[1,]", "expected a value at line 1 column 4"), ("[1,\n 2,\n x]", "expected a value at line 3 column 2"),
        ("[\"éé€\" 1]", "expected ',' or ']' at line 1 column 8"),
        ("{a:1}", "expected a field name in double quotes at line 1 column 2"),
        ("1 2", "expected the end of the text at line 1 column 3"),
        ("nul", "the text ends, expected 'null' at line 1 column 4"),
        ("nulx", "expected a value at line 1 column 1"), ("01", "a number must not start with 0 at line 1 column 1"),
        ("-", "the text ends, expected a digit at line 1 column 2"), ("1.x", "expected a digit at line 1 column 3"),
        ("1e", "the text ends, expected a digit at line 1 column 3"), ("-x", "expected a digit at line 1 column 2"),
        ("1e999", "number out of range at line 1 column 1"), ("+1", "expected a value at line 1 column 1"),
        ("\"a\nb\"", "control character \\u000a has to be escaped in a string at line 1 column 3"),
        ("\"abc", "the text ends, expected a closing quote at line 1 column 5"),
        (#""a\x""#, "invalid escape in a string at line 1 column 3"),
        (#""\u12g4""#, "invalid escape in a string at line 1 column 2"),
        (#""ab\ud800c""#, "a \\u escape is half of a surrogate pair at line 1 column 4"),
        (#""\udc00""#, "a \\u escape is half of a surrogate pair at line 1 column 2"),
        (#""\ud800\u0041""#, "a \\u escape is half of a surrogate pair at line 1 column 2"),
        ("'a'", "expected a value at line 1 column 1"), ("[1] // x", "expected the end of the text at line 1 column 5"),
        ("NaN", "expected a value at line 1 column 1"), ("[", "the text ends, expected a value at line 1 column 2"),
        ("{", "the text ends, expected a field name at line 1 column 2"),
        ("{\"a\"", "the text ends, expected ':' at line 1 column 5"),
        ("{\"a\":1", "the text ends, expected ',' or '}' at line 1 column 7")
    ])
    func namesWhatWasExpectedAndWhere(text: String, error: String) {
        #expect(JSON.fault(text) == error)
    }

    @Test func invalidUTF8IsNamedAtItsByte() {
        func error(_ bytes: [UInt8]) -> JSONError? {
            do throws(JSONError) {
                _ = try JSON.decode(bytes)
                return nil
            } catch { return error }
        }
        let expected = JSONError(.invalidUTF8, offset: 9, line: 2, column: 6)
        #expect(error(Array("[\n \"abé".utf8) + [0xFF] + Array("c\"]".utf8))?.offset == 8)
        #expect(error(Array("[\n \"ab\u{20AC}".utf8) + [0xE2, 0x82] + Array("\"]".utf8)) == expected)
        #expect(error(Array("[\n \"\\n\u{20AC}".utf8) + [0xC0, 0x80] + Array("\"]".utf8)) == expected)
        #expect(error([0x22, 0x61, 0xED, 0xA0, 0x80, 0x22])?.reason == .invalidUTF8)
    }

    @Test func tellsCutShortFromWrong() throws {
        let text = #"{"a": [1, -2.5e3, true, null, "x\u00e9\ud834\udd1e"], "b": {"c": false}}"#
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            let error = #expect(throws: JSONError.self) { try JSON.decode(Array(bytes[..<count])) }
            #expect(error?.isIncomplete == true, "after \(count) bytes: \(String(describing: error))")
        }
        for wrong in ["}", "[1}", "{]", "[1 2", "{\"a\":1]", "tru!", "1 1"] {
            let error = #expect(throws: JSONError.self) { try JSON.decode(wrong) }
            #expect(error?.isIncomplete == false, "\(wrong)")
        }
    }

    @Test func limitsAreKept() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func objects(_ depth: Int) -> String {
            String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
        }
        _ = try JSON.decode(nested(256))
        _ = try JSON.decode(objects(256))
        #expect(JSON.fault(nested(257)) == "nested deeper than 256 levels at line 1 column 257")
        #expect(JSON.fault(objects(257)) == "nested deeper than 256 levels at line 1 column 1281")
        #expect(JSON.fault(String(repeating: "[", count: 1_000_000)).hasPrefix("nested deeper than 256 levels"))
        let shallow = JSON.Options(limits: JSON.Limits(maximumDepth: 1))
        #expect(try JSON.decode("[1]", shallow) == [1])
        #expect(JSON.fault("[[1]]", shallow) == "nested deeper than 1 levels at line 1 column 2")
        let deep = JSON.Options(limits: JSON.Limits(maximumDepth: 1_000_000))
        #expect(JSON.fault(nested(257), deep) == "nested deeper than 256 levels at line 1 column 257")
        let short = JSON.Options(limits: JSON.Limits(maximumByteCount: 4))
        #expect(try JSON.decode("[12]", short) == [12])
        #expect(JSON.fault("[123]", short) == "longer than 4 bytes at line 1 column 5")
    }

    @Test func repeatedKeysKeepTheFirstPlaceAndTheLastValue() throws {
        let few = try JSON.decodeDocument(#"{"a":1,"b":2,"a":3,"c":4,"b":null}"#)
        #expect(few.keys == ["a", "b", "c"])
        #expect(few == ["a": 3, "b": nil, "c": 4])
        let count = 20_000
        let many = try JSON.decodeDocument(
            "{" + (0..<2 * count).map { "\"key\($0 % count)\":\($0)" }.joined(separator: ",") + "}")
        #expect(many.count == count)
        #expect(many["key7"] == .int(Int64(count + 7)))
        #expect(many[19_999].key == "key19999")
    }

    @Test func onlyAnObjectIsADocument() throws {
        #expect(try JSON.decodeDocument(" {\"a\":1}") == ["a": 1])
        let error = #expect(throws: JSONError.self) { try JSON.decodeDocument(" [1]") }
        #expect(error?.description == "expected an object at line 1 column 2")
    }

    @Test(
        arguments: [
            ("{year: {$gt: 2000}}", ["year": ["$gt": 2000]]), ("{'a': 'it\\'s', b: \"'\"}", ["a": "it's", "b": "'"]),
            ("[1, 2, ]", [1, 2]), ("{a: 1,}", ["a": 1]),
            ("{address.city: 'Bern', été: 1, x-y: 2}", ["address.city": "Bern", "été": 1, "x-y": 2]),
            ("// first\n[1, // one\n 2 /* two, ] */]\n// last", [1, 2]), ("/**/{}/***/", [:]),
            ("[Infinity, -Infinity]", [.double(.infinity), .double(-.infinity)]),
            ("{$and:[{a:true},{b:null}]}", ["$and": [["a": true], ["b": nil]]])
        ] as [(String, Value)])
    func relaxedTakesWhatPeopleType(text: String, value: Value) throws {
        #expect(try JSON.decode(text, .relaxed) == value)
        #expect(throws: JSONError.self) { try JSON.decode(text) }
    }

    @Test(arguments: [
        ("[,]", "expected a value at line 1 column 2"), ("{,}", "expected a field name at line 1 column 2"),
        ("[1,,]", "expected a value at line 1 column 4"), ("{a b: 1}", "expected ':' at line 1 column 4"),
        ("{a: b}", "expected a value at line 1 column 5"), ("[1] /", "expected '//' or '/*' at line 1 column 5"),
        ("[1] /* x", "the text ends, expected the '*/' of a comment at line 1 column 9"),
        ("'a", "the text ends, expected a closing quote at line 1 column 3"),
        ("-Infinite", "expected a digit or 'Infinity' at line 1 column 9"),
        ("\"a\nb\"", "control character \\u000a has to be escaped in a string at line 1 column 3")
    ])
    func relaxedStillRefusesNonsense(text: String, error: String) {
        #expect(JSON.fault(text, .relaxed) == error)
    }

    @Test func relaxedReadsNaN() throws {
        #expect(try JSON.decode("NaN", .relaxed).double?.isNaN == true)
    }
}
