import NexaTOON
import NexaValue
import TestKit
import Testing

@Suite struct DecodingErrorTests {
    /// What is wrong, where, and what to do.
    @Test(arguments: [
        ("a: 1\nb[3]: x,y", 2, 2, "the header says 3 values, found 2"),
        ("d[2]{a,b}:\n  1,2\n  3", 3, 3, "the header has 2 fields, found 1 cells"),
        ("d[1]{a,b}:\n  1,2\n  3,4", 3, 3, "the header says 1 rows, found 2"),
        ("é: \"x", 1, 4, "a quoted text does not end"),
        ("a: \"é\\q\"", 1, 6, "invalid escape in a quoted text"),
        ("a: 1\na: 2", 2, 1, "the field 'a' is there twice"),
        ("a:\n   b: 1", 2, 4, "3 blanks are not a multiple of 2"),
        ("l[2]:\n  - a\n\n  - b", 3, 1, "a blank line within a list or table"),
        ("a: 1e999", 1, 4, "number out of range"),
        ("a: 1\nword", 2, 5, "expected a ':' behind a key"),
        ("[1]: a\nb: 1", 2, 1, "more text behind the end of the value"),
        ("a[2|]{b,c}:\n  1|2\n  3|4", 1, 8, "another delimiter than the one of the brackets")
    ])
    func errorsNameThePlace(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
        let error = try #require(throws: TOONError.self) { try TOON.decode(text) }
        #expect(error.message == message)
        #expect(error.line == line && error.column == column, "\(error)")
        #expect(error.description == "\(message) at line \(line) column \(column); \(error.advice)")
    }

    @Test func utf8IsChecked() throws {
        let error = try #require(throws: TOONError.self) { try TOON.decode(Array("a: ".utf8) + [0xC3]) }
        #expect(error.reason == .invalidUTF8 && error.offset == 3)
    }

    @Test func theLenientModeReadsWhatItCan() throws {
        #expect(
            try TOON.decode("\u{FEFF}a[9]: 1,2\nb[2]{x,y}:\n  1\n  1,2,3\njunk\n\tc: 1", .lenient)
                == ["a": [1, 2], "b": [["x": 1], ["x": 1, "y": 2]]])
    }

    @Test func whatNexaDB3WroteIsRead() throws {
        let options = TOON.DecodingOptions(isStrict: false, acceptsNexaDB3: true)
        let text = """
            collection: films
            documents[2]{_id,title,cast,o,n}:
              a1,"Alien, \\ud83d\\ude00 \\u00e9",['Weaver', "O'Hara"],{'p': [1, None, True]},nan
              b2,http://x.y:80/,[],null,1e-07
            count: 2
            """
        let documents = try #require(try TOON.decode(text, options).document?["documents"]?.array)
        #expect(documents[0].document?["title"] == "Alien, 😀 é")
        #expect(documents[0].document?["cast"] == ["Weaver", "O'Hara"])
        #expect(documents[0].document?["o"] == ["p": [1, nil, true]])
        #expect(documents[1].document?["title"] == "http://x.y:80/")
        #expect(documents[1].document?["cast"] == [])
        #expect(documents[1].document?["n"] == 1e-07)
    }

    /// Any bytes are decoded or refused with a position inside the text, and what is decoded can be written again.
    @Test(arguments: [4, UInt64.random(in: 0 ... .max)])
    func mutatedTextNeverBreaksTheDecoder(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        let pieces: [[UInt8]] =
            [
                "\"", "\\", "{", "}", "[", "]", ",", ":", "\\u", "\\ud800", "1e", "-", "- ", "\n", "\n  ", "\r\n", "  ",
                "\t",
                "|", "#", "[2]", "[2:]{a}:", "{a,b}", "[]", "[99999999999999999999]", "'", "['"
            ].map { Array($0.utf8) } + [[0xFF], [0xE2, 0x82], [0], [0xEF, 0xBB, 0xBF]]
        for _ in 0..<5000 {
            var bytes = try TOON.encode(values.value())
            for _ in 0...values.below(4) {
                let place = values.below(bytes.count + 1)
                switch values.below(3) {
                case 0: bytes.insert(contentsOf: pieces[values.below(pieces.count)], at: place)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + values.below(9)))
                default: if place < bytes.count { bytes[place] = UInt8(values.below(256)) }
                }
            }
            for options in [
                TOON.DecodingOptions.strict, .lenient, TOON.DecodingOptions(isStrict: false, acceptsNexaDB3: true)
            ] {
                do throws(TOONError) {
                    let value = try TOON.decode(bytes, options)
                    do throws(TOONEncodingError) {
                        let text = try TOON.encode(value)
                        // What NexaDB 3.0 wrote may hold NaN.
                        if options.isStrict, (try? TOON.decode(text))?.isSameJSON(as: value, anyOrder: true) != true {
                            Issue.record("\(value) does not come back, seed \(seed)")
                        }
                    } catch {
                        Issue.record("\(error), seed \(seed)")
                    }
                } catch {
                    if error.offset < 0 || error.offset > bytes.count || error.line < 1 || error.column < 1 {
                        Issue.record("\(error) at \(error.offset) of \(bytes.count), seed \(seed)")
                    }
                }
            }
        }
    }
}
