import PTYKit
import TestKit
import Testing

/// Text of every plane of Unicode: typed, stored, written in every format, and read back.
@Suite struct UnicodeTests {
    /// Any scalar but control characters, which JSON has as escapes.
    private static func scalar(_ random: inout SplitMix64) -> Unicode.Scalar {
        while true {
            // Each plane as often as the others; half of all is from the one that people write in.
            let plane = random.next() % 2 == 0 ? 0 : UInt32(random.next() % 17)
            let value = plane << 16 | UInt32(random.next() % (plane == 0 && random.next() % 2 == 0 ? 0x600 : 0x10000))
            guard let scalar = Unicode.Scalar(value), value >= 0x20, !(0x7F..<0xA0).contains(value) else { continue }
            return scalar
        }
    }

    /// A string of JSON.
    private static func literal(_ random: inout SplitMix64) -> String {
        var text = "\""
        for _ in 0..<(1 + Int(random.next() % 40)) {
            switch random.next() % 12 {
            case 0:
                text +=
                    ["\\n", "\\t", "\\u0000", "\\u001b", "\\u007f", "\\u0085", "\\\\", "\\\"", ",", ";"].randomElement(
                        using: &random) ?? ""
            default:
                let next = scalar(&random)
                text.unicodeScalars.append(contentsOf: next == "\"" || next == "\\" ? ["\\", next] : [next])
            }
        }
        return text + "\""
    }

    /// The documents of a collection in one form that is the same for all.
    private func content(_ fixture: ShellFixture, _ collection: String) throws -> [String] {
        try fixture.run(["-q", "-e", "export \(collection) - --format ejson --fields _id,t --sort _id"]).lines
    }

    @Test(arguments: ["C.UTF-8", "C", "POSIX", "de_DE.ISO-8859-1"])
    func whatIsTypedIsWhatEveryFormatBringsBack(_ locale: String) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let literals = (0..<60).map { _ in Self.literal(&random) }
        let fixture = try ShellFixture(["LANG": locale, "LC_ALL": locale])
        let session = try fixture.open(columns: 200, rows: 50)
        session.send("use typed\r")
        #expect(session.prompts("nexa(typed)>"))
        for (number, literal) in literals.enumerated() {
            let line = "create {\"_id\": \"u\(1000 + number)\", \"t\": \(literal)}"
            if number % 2 == 0 { session.paste(line) } else { session.send(line) }
            session.send("\r")
            try #require(
                session.wrote("Document created: u\(1000 + number)"),
                "seed \(seed), \(number): \(session.screen.text)")
        }
        session.send("exit\r")
        #expect(session.finish() == 0)
        // The same documents, never typed: the bytes of a file.
        let file = try fixture.folder.write(
            "direct.ndjson",
            literals.enumerated().map { "{\"_id\":\"u\(1000 + $0)\",\"t\":\($1)}\n" }.joined())
        #expect(try fixture.run(["-e", "import \(file) direct"]).exitCode == 0)
        let expected = try content(fixture, "direct")
        #expect(expected.count == literals.count)
        let typed = try content(fixture, "typed")
        for (first, second) in zip(typed, expected) { #expect(first == second, "seed \(seed), typed") }
        for format in ["ndjson", "json", "ejson", "csv", "tsv"] {
            let target = fixture.folder["out.\(format)"]
            let exported = try fixture.run(["-e", "export typed \(target) --format \(format) --fields _id,t"])
            #expect(exported.exitCode == 0, "\(format) \(exported.errors)")
            // Tables without types cannot tell text from what it looks like.
            let types = format == "tsv" || format == "csv" ? "--types _id:string,t:string" : ""
            let imported = try fixture.run(["-e", "import \(target) \(format) --format \(format) \(types)"])
            #expect(imported.exitCode == 0, "\(format) \(imported.errors)")
            let back = try content(fixture, format)
            #expect(back.count == expected.count, "\(format)")
            for (first, second) in zip(back, expected) { #expect(first == second, "seed \(seed), \(format)") }
        }
        let target = fixture.folder["out.toon"]
        let toon = try fixture.run(["-e", "toon export typed \(target)", "-e", "toon import \(target) toon"])
        #expect(toon.exitCode == 0, "\(toon.errors)")
        let back = try content(fixture, "toon")
        #expect(back.count == expected.count)
        for (first, second) in zip(back, expected) { #expect(first == second, "seed \(seed), toon") }
    }
}
