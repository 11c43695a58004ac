import NexaValue
import TestKit
import Testing

/// Text turned straight into MessagePack has the bytes of the decoded value, and fails with the same error.
@Suite struct JSONTranscodingTests {
    /// Both ways; the error's description for what is refused.
    private func compare(_ text: [UInt8], _ options: JSON.Options = .strict) -> (old: [UInt8], new: [UInt8]) {
        var old: [UInt8]
        do throws(JSONError) {
            old = MessagePack.encode(try JSON.decode(text, options))
        } catch {
            old = Array("\(error)".utf8)
        }
        var writer = MessagePackWriter(capacity: 16)
        writer.write("before")
        let before = writer.count
        var new: [UInt8] = []
        do throws(JSONError) {
            try JSON.transcode(text.span.bytes, options, into: &writer)
            new = Array(writer.bytes[before...])
        } catch {
            #expect(writer.count == before, "nothing stays behind an error")
            new = Array("\(error)".utf8)
        }
        #expect(writer.bytes.starts(with: MessagePack.encode(.string("before"))))
        return (old, new)
    }

    private func check(_ text: String, _ options: JSON.Options = .strict) {
        let (old, new) = compare(Array(text.utf8), options)
        #expect(old == new, "\(text)")
    }

    private static let extended = JSON.Options(isRelaxed: true, readsExtendedForms: true)

    @Test func everyKindOfValue() {
        for text in [
            "null", "true", "[]", "{}", " [ ] ", "\"\"", "0", "-0", "-1", "127", "128", "-33", "65536", "1e3",
            "18446744073709551615", "-9223372036854775808", "123456789012345678901234567890", "0.1", "1e400",
            "\"h\\u00e9 \\ud83d\\ude00 \\n\"", "\"\\ud83d\"", "{\"a\":{\"b\":[1,[2,{\"c\":null}]]}}", "[1,]",
            "{\"a\" 1}",
            "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3},\"a\":[4]}", "{\"\\u0061\":1,\"a\":2}",
            "{\"é\":1,\"e\u{301}\":2}", "{\"a\":1} x", "", "{", "[[[[", "tru", "{\"a\":\u{1}}"
        ] {
            check(text)
            check(text, Self.extended)
        }
    }

    @Test func extendedForms() {
        for text in [
            "{$binary: {base64: 'AQID', subType: '00'}}", "{a: {$binary: {base64: 'AQID', subType: '00'}}}",
            "{$binary: {base64: 'A', subType: '00'}}", "{$binary: 1}", "[{$numberDouble: 'NaN'}, 1]",
            "{$numberDouble: 'Infinity', b: 1}", "{$extension: {type: 5, base64: 'AQ=='}}", "{$oid: '507f'}",
            "{$date: '2020-01-01'}", "{$binary: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
            "{$binary: {$binary: {base64: 'AQID', subType: '00'}}}", "{'$numberDouble': '-Infinity'}",
            "{$binary: {base64: 'AQID', base64: 'AQIE', subType: '00'}}"
        ] {
            check(text, Self.extended)
            check(text, .relaxed)
            check("[\(text), \(text)]", Self.extended)
        }
    }

    @Test func longAndDeepContainers() {
        for count in [15, 16, 17, 65_535, 65_536] {
            let numbers = (0..<count).map { "\($0)" }.joined(separator: ",")
            check("[\(numbers)]")
            check("[[\(numbers)],\"behind\",[\(numbers)]]")
            let fields = (0..<min(count, 2000)).map { "\"k\($0)\":[\($0)]" }.joined(separator: ",")
            check("{\(fields)}")
            check("{\(fields),\"k3\":\"again\"}")
            check("{\"in\":{\(fields)},\"b\":[{\(fields)}]}")
        }
        for depth in [255, 256, 257] {
            check(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
            check(String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth))
        }
        check("[1,2,3]", JSON.Options(limits: .init(maximumByteCount: 3)))
    }

    @Test func onlyDocumentsWhereOneIsWanted() {
        for text in ["[]", "1", "{\"$numberDouble\":\"NaN\"}", "{}", " {\"a\":1} ", "\"\u{80}\"", "{\"a\":}"] {
            let bytes = Array(text.utf8)
            let options = JSON.Options(readsExtendedForms: true)
            var writer = MessagePackWriter()
            let old = Result { () throws(JSONError) in try JSON.decodeDocument(bytes, options) }
            do throws(JSONError) {
                try JSON.transcodeDocument(bytes.span.bytes, options, into: &writer)
                #expect(try MessagePack.encode(old.get()) == writer.bytes)
            } catch {
                #expect(throws: error) { try old.get() }
                #expect(writer.count == 0)
            }
        }
    }

    @Test(.enabled(if: SharedData.folder("json") != nil, "shared/data/json is missing"))
    func theParsingSuite() throws {
        let folder = try #require(SharedData.folder("json"))
        var count = 0
        for part in ["test_parsing", "test_transform"] {
            for name in Files.names(in: "\(folder)/\(part)") where name.hasSuffix(".json") {
                let text = Files.read("\(folder)/\(part)/\(name)")
                for options in [JSON.Options.strict, .relaxed, Self.extended] {
                    let (old, new) = compare(text, options)
                    #expect(old == new, "\(name)")
                }
                count += 1
            }
        }
        #expect(count > 300)
    }

    @Test(.enabled(if: SharedData.folder("movies") != nil, "shared/data/movies is missing"))
    func theMovies() throws {
        let folder = try #require(SharedData.folder("movies"))
        var count = 0
        for name in Files.names(in: folder) where name.hasSuffix(".ndjson") || name.hasSuffix(".json") {
            for line in Files.read("\(folder)/\(name)").split(separator: 0x0A).prefix(4000) {
                let (old, new) = compare(Array(line), JSON.Options(readsExtendedForms: true))
                if old != new { Issue.record("\(name): \(String(decoding: line, as: UTF8.self))") }
                count += 1
            }
        }
        #expect(count > 0)
    }

    @Test func randomTextsWholeAndDamaged() {
        for seed in UInt64(0)..<1000 {
            var random = SplitMix64(seed: seed)
            var text = Array(Self.text(&random, depth: 0).utf8)
            for options in [JSON.Options.strict, .relaxed, Self.extended] {
                let (old, new) = compare(text, options)
                #expect(old == new, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
            }
            guard !text.isEmpty else { continue }
            text[Int(random.next() % UInt64(text.count))] = UInt8(truncatingIfNeeded: random.next())
            let (old, new) = compare(text, Self.extended)
            #expect(old == new, "seed \(seed), damaged: \(text)")
        }
    }

    private static func text(_ random: inout SplitMix64, depth: Int) -> String {
        let names = ["a", "b", "c", "$binary", "$numberDouble", "base64", "subType", "é", "\\u0061", "x y"]
        let scalars = [
            "1", "-7", "300", "1.5e3", "-0", "null", "true", "\"\"", "\"AQID\"", "\"00\"", "\"NaN\"", "\"é\\n\"",
            "\"\(String(repeating: "x", count: 40))\"", "99999999999", "NaN", "'q'"
        ]
        guard depth < 5, random.next() % 3 > 0 || depth == 0 else {
            return scalars[Int(random.next() % UInt64(scalars.count))]
        }
        let count = random.next() % 8 == 0 ? Int(random.next() % 40) : Int(random.next() % 4)
        let isArray = random.next() % 2 == 0
        var parts: [String] = []
        for number in 0..<count {
            let value = text(&random, depth: depth + 1)
            let name =
                random.next() % 8 == 0
                ? names[Int(random.next() % UInt64(names.count))]
                : count == 1 ? "$numberDouble" : "\(names[number % names.count])\(number)"
            parts.append(isArray ? value : "\"\(name)\":\(value)")
        }
        return (isArray ? "[" : "{") + parts.joined(separator: ",") + (isArray ? "]" : "}")
    }
}
