import Glibc
import PTYKit
import TestKit
import Testing

/// Signals at random moments of imports and exports: what was counted is there, and no half file has a whole one's name.
///
/// NEXA_SWEEP_RUNS makes it longer.
@Suite struct DataSweepTests {
    private static let runs = getenv("NEXA_SWEEP_RUNS").flatMap { Int(String(cString: $0)) } ?? 12
    private static let count = 20_000

    private func source(_ fixture: ShellFixture) throws -> String {
        try fixture.folder.write(
            "all.ndjson", (0..<Self.count).map { "{\"_id\":\($0),\"t\":\"a document of some length\"}\n" }.joined())
    }

    /// The number before words of a text.
    private func number(before words: String, in text: String) -> Int? {
        text.firstRange(of: words).flatMap { place in
            text[..<place.lowerBound].split { !$0.isNumber }.last.flatMap { Int($0) }
        }
    }

    private func stored(_ fixture: ShellFixture, _ collection: String) throws -> Int {
        let outcome = try fixture.run(["-q", "-e", "use \(collection); count"])
        return try #require(outcome.lines.first.flatMap { Int($0) }, "\(outcome.errors)")
    }

    @Test func whatAnInterruptedImportCountsIsThere() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try ShellFixture()
        let holder = try fixture.open(["--no-history"])
        let file = try source(fixture)
        var interrupted = 0
        for run in 0..<Self.runs {
            let signal = [SIGINT, SIGTERM, SIGHUP, SIGKILL][Int(random.next() % 4)]
            let collection = "c\(run)"
            let program = try BackgroundProgram(
                fixture.nexa, ["--local", fixture.database, "-e", "import \(file) \(collection)"],
                environment: fixture.environment, errors: fixture.folder["errors"])
            usleep(UInt32(random.next() % 250_000))
            program.signal(signal)
            let code = try #require(program.finish(), "seed \(seed), run \(run), signal \(signal): it does not end")
            let said = fixture.folder.read("errors") ?? ""
            let stored = try stored(fixture, collection)
            #expect(code == 0 || code == 128 + signal, "seed \(seed), run \(run), signal \(signal): \(said)")
            if code == 0 { #expect(stored == Self.count, "seed \(seed), run \(run)") }
            if code != 0, stored > 0, stored < Self.count { interrupted += 1 }
            if let counted = number(before: " written", in: said) {
                let isExact = !said.contains("are unknown")
                #expect(
                    isExact ? stored == counted : stored >= counted,
                    "seed \(seed), run \(run), signal \(signal): \(said)")
                // What it says goes on where it stopped, and ends with everything once.
                guard let place = said.firstRange(of: "resume with: "), isExact else { continue }
                let command = said[place.upperBound...].prefix { $0 != "\n" }
                let rest = try fixture.run(["-e", String(command)])
                #expect(rest.exitCode == 0, "seed \(seed), run \(run): \(command): \(rest.errors)")
                #expect(try self.stored(fixture, collection) == Self.count, "seed \(seed), run \(run): \(command)")
            }
        }
        print("imports: \(interrupted) of \(Self.runs) were interrupted in the middle")
        holder.send("ping\r")
        #expect(holder.sees("✓ Pong"))
    }

    @Test func anInterruptedExportLeavesNoHalfFile() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try ShellFixture()
        let holder = try fixture.open(["--no-history"])
        #expect(try fixture.run(["-e", "import \(try source(fixture)) c"]).exitCode == 0)
        let target = fixture.folder["out.ndjson"]
        for run in 0..<Self.runs {
            let signal = [SIGINT, SIGTERM, SIGHUP, SIGKILL][Int(random.next() % 4)]
            let wasThere = random.next() % 2 == 0
            if wasThere { _ = try fixture.folder.write("out.ndjson", "old\n") } else { unlink(target) }
            let program = try BackgroundProgram(
                fixture.nexa, ["--local", fixture.database, "-e", "export c \(target)"],
                environment: fixture.environment, errors: fixture.folder["errors"])
            usleep(UInt32(random.next() % 150_000))
            program.signal(signal)
            let code = try #require(program.finish(), "seed \(seed), run \(run), signal \(signal): it does not end")
            let said = fixture.folder.read("errors") ?? ""
            #expect(code == 0 || code == 128 + signal, "seed \(seed), run \(run), signal \(signal): \(said)")
            let text = fixture.folder.read("out.ndjson")
            let lines = text?.utf8.count { $0 == 0x0A }
            if code == 0 {
                #expect(lines == Self.count, "seed \(seed), run \(run)")
            } else {
                #expect(
                    lines == Self.count || text == (wasThere ? "old\n" : nil),
                    "seed \(seed), run \(run), signal \(signal): \(lines ?? -1) lines")
            }
            if signal != SIGKILL { #expect(access(target + ".part", F_OK) != 0, "seed \(seed), run \(run)") }
            unlink(target + ".part")
        }
        holder.send("ping\r")
        #expect(holder.sees("✓ Pong"))
    }
}
