import NexaValue
import TestKit
import Testing

/// The JSON parsing test suite in `shared/data/json`.
@Suite(.enabled(if: SharedData.folder("json") != nil, "shared/data/json is missing: the JSON test suite is skipped"))
struct JSONSuiteTests {
    let folder = SharedData.folder("json") ?? ""

    @Test func acceptsAndRefusesWhatTheStandardSays() throws {
        var counts = (accepted: 0, refused: 0)
        for name in Files.names(in: folder + "/test_parsing") {
            let outcome = Result { try JSON.decode(Files.read("\(folder)/test_parsing/\(name)")) }
            switch (name.first, outcome) {
            case ("y", .success(let value)):
                counts.accepted += 1
                #expect(try JSON.decode(JSON.encode(value)) == value, "\(name)")
            case ("n", .failure): counts.refused += 1
            case ("y", .failure(let error)): Issue.record("\(name) is refused: \(error)")
            case ("n", .success(let value)): Issue.record("\(name) is accepted as \(value)")
            default: break
            }
        }
        #expect(counts.accepted == 95)
        #expect(counts.refused == 188)
    }

    /// What the standard leaves open. `nil`: refused.
    static let open: [String: Value?] = [
        // Too large for a double: refused, because infinity could not be written back.
        "i_number_huge_exp.json": nil, "i_number_neg_int_huge_exp.json": nil, "i_number_pos_double_huge_exp.json": nil,
        "i_number_real_neg_overflow.json": nil, "i_number_real_pos_overflow.json": nil,
        // Too small: zero, with its sign.
        "i_number_double_huge_neg_exp.json": [.double(0)], "i_number_real_underflow.json": [.double(0)],
        // Integers beyond 64 bits become the nearest double.
        "i_number_too_big_neg_int.json": [.double(-1.2312312312312312e29)],
        "i_number_too_big_pos_int.json": [.double(100_000_000_000_000_000_000)],
        "i_number_very_big_negative_int.json": [.double(-2.374623746732769e47)],
        // Half a surrogate pair has no UTF-8.
        "i_object_key_lone_2nd_surrogate.json": nil, "i_string_1st_surrogate_but_2nd_missing.json": nil,
        "i_string_1st_valid_surrogate_2nd_invalid.json": nil,
        "i_string_incomplete_surrogate_and_escape_valid.json": nil,
        "i_string_incomplete_surrogate_pair.json": nil, "i_string_incomplete_surrogates_escape_valid.json": nil,
        "i_string_invalid_lonely_surrogate.json": nil, "i_string_invalid_surrogate.json": nil,
        "i_string_inverted_surrogates_U+1D11E.json": nil, "i_string_lone_second_surrogate.json": nil,
        // Not UTF-8.
        "i_string_UTF-16LE_with_BOM.json": nil, "i_string_UTF-8_invalid_sequence.json": nil,
        "i_string_UTF8_surrogate_U+D800.json": nil, "i_string_invalid_utf-8.json": nil,
        "i_string_iso_latin_1.json": nil, "i_string_lone_utf8_continuation_byte.json": nil,
        "i_string_not_in_unicode_range.json": nil, "i_string_overlong_sequence_2_bytes.json": nil,
        "i_string_overlong_sequence_6_bytes.json": nil, "i_string_overlong_sequence_6_bytes_null.json": nil,
        "i_string_truncated-utf-8.json": nil, "i_string_utf16BE_no_BOM.json": nil, "i_string_utf16LE_no_BOM.json": nil,
        // Deeper than the standard limit of 256.
        "i_structure_500_nested_arrays.json": nil,
        // A byte order mark is not JSON text.
        "i_structure_UTF-8_BOM_empty_object.json": nil
    ]

    @Test func decidesWhatTheStandardLeavesOpen() {
        let files = Files.names(in: folder + "/test_parsing").filter { $0.hasPrefix("i_") }
        #expect(files == Self.open.keys.sorted())
        for name in files {
            let value = try? JSON.decode(Files.read("\(folder)/test_parsing/\(name)"))
            #expect(value == Self.open[name] ?? nil, "\(name)")
        }
    }

    @Test(
        arguments: [
            ("number_-9223372036854775808", "[-9223372036854775808]"),
            ("number_-9223372036854775809", "[-9.223372036854776e+18]"),
            ("number_9223372036854775807", "[9223372036854775807]"),
            ("number_9223372036854775808", "[9223372036854775808]"),
            ("number_10000000000000000999", "[10000000000000000999]"),
            ("number_1000000000000000", "[1000000000000000]"),
            ("number_1.0", "[1.0]"), ("number_1.000000000000000005", "[1.0]"),
            ("number_1e-999", "[0.0]"), ("number_1e6", "[1000000.0]"),
            // Keys are compared byte by byte: a precomposed letter is another key than its decomposed spelling.
            ("object_key_nfc_nfd", "{\"\u{E9}\":\"NFC\",\"e\u{301}\":\"NFD\"}"),
            ("object_key_nfd_nfc", "{\"e\u{301}\":\"NFD\",\"\u{E9}\":\"NFC\"}"),
            ("object_same_key_different_values", "{\"a\":2}"), ("object_same_key_same_value", "{\"a\":1}"),
            ("object_same_key_unclear_values", "{\"a\":-0.0}"),
            ("string_with_escaped_NULL", "[\"A\\u0000B\"]"),
            ("string_1_escaped_invalid_codepoint", nil), ("string_1_invalid_codepoint", nil),
            ("string_2_escaped_invalid_codepoints", nil), ("string_2_invalid_codepoints", nil),
            ("string_3_escaped_invalid_codepoints", nil), ("string_3_invalid_codepoints", nil)
        ] as [(String, String?)])
    func transforms(name: String, expected: String?) throws {
        let value = try? JSON.decode(Files.read("\(folder)/test_transform/\(name).json"))
        let text = try value.map { try JSON.encode($0) }
        #expect(text == expected.map { Array($0.utf8) })
    }
}
