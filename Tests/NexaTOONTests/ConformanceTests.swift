import NexaTOON
import NexaValue
import TestKit
import Testing

/// The conformance cases of the specification's release 4.0.0 in `shared/data/toon`.
@Suite(.enabled(if: SharedData.folder("toon") != nil, "shared/data/toon is missing: the TOON cases are skipped"))
struct ConformanceTests {
    static let files = [
        "arrays-nested", "arrays-objects", "arrays-primitive", "arrays-tabular", "blank-lines", "comments",
        "delimiters",
        "indentation-errors", "numbers", "objects", "objects-keyed", "primitives", "root-form", "validation-errors",
        "whitespace"
    ]

    struct Case: CustomTestStringConvertible {
        var name: String
        var isEncoding: Bool
        var input: Value
        var expected: Value
        var fails: Bool
        var options: Document

        var testDescription: String { name }
    }

    static func cases(_ folder: String, _ file: String) throws -> [Case] {
        let path = (SharedData.folder("toon") ?? "") + "/\(folder)/\(file).json"
        let bytes = Files.read(path)
        let document = try JSON.decodeDocument(bytes)
        return (document["tests"]?.array ?? []).compactMap { test in
            guard let test = test.document else { return nil }
            return Case(
                name: "\(folder)/\(file): \(test["name"]?.string ?? "")", isEncoding: folder == "encode",
                input: test["input"] ?? .null, expected: test["expected"] ?? .null,
                fails: test["shouldError"]?.bool ?? false, options: test["options"]?.document ?? Document())
        }
    }

    static func allCases() -> [Case] {
        ["encode", "decode"].flatMap { folder in files.flatMap { (try? cases(folder, $0)) ?? [] } }
    }

    @Test func allCasesAreThere() {
        #expect(Self.allCases().count == 516)
    }

    @Test(arguments: allCases()) func conforms(_ test: Case) throws {
        if test.isEncoding {
            var options = TOON.EncodingOptions(indentation: Int(test.options["indentSize"]?.int ?? 2))
            switch test.options["delimiter"]?.string {
            case "\t": options.delimiter = .tab
            case "|": options.delimiter = .pipe
            default: break
            }
            let text = try TOON.string(test.input, options)
            #expect(text == test.expected.string)
            #expect(
                try TOON.decode(text, TOON.DecodingOptions(indentation: options.indentation)).isSameJSON(
                    as: test.input, anyOrder: true))
            return
        }
        let text = try #require(test.input.string)
        let options = TOON.DecodingOptions(
            isStrict: test.options["strict"]?.bool ?? true, indentation: Int(test.options["indentSize"]?.int ?? 2))
        guard !test.fails else {
            let error = #expect(throws: TOONError.self) { try TOON.decode(text, options) }
            #expect((error?.line ?? 0) >= 1 && (error?.column ?? 0) >= 1)
            // What strict mode refuses the lenient one reads or refuses as well, without harm.
            _ = try? TOON.decode(text, .lenient)
            return
        }
        let value = try TOON.decode(text, options)
        #expect(value.isSameJSON(as: test.expected), "\(value)")
    }
}
