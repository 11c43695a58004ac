import Glibc
import PTYKit
import TestKit
import Testing

/// Imports and exports that are stopped at random instants leave nothing half, and what they say is true.
///
/// `NEXA_INTERRUPTIONS` is the number of rounds of each test; 10 000 are a night's work.
@Suite(.serialized) struct InterruptionTests {
    private static let signals: [CInt] = [SIGINT, SIGTERM, SIGHUP, SIGKILL]
    private static let documentCount = 12_000

    private static var rounds: Int { getenv("NEXA_INTERRUPTIONS").flatMap { Int(String(cString: $0)) } ?? 8 }

    /// A folder whose server lives as long as `keeper`, so that no round has to start one.
    private struct Place {
        let fixture: ShellFixture
        let keeper: PTYKit.Session
        let source: String

        init() throws {
            fixture = try ShellFixture()
            source = try fixture.folder.write(
                "source.ndjson",
                (1...documentCount).map { "{\"_id\":\($0),\"text\":\"some text to carry\"}\n" }.joined())
            keeper = try fixture.open()
        }

        func count(_ collection: String, _ filter: String = "") throws -> Int {
            let outcome = try fixture.run(["-q", "-e", "use \(collection); count \(filter)"])
            return try #require(Int(outcome.output.trimmingSuffix { $0 == "\n" }), "\(outcome.errors)")
        }
    }

    /// How long the whole takes, for random instants within it.
    private func duration(_ run: @autoclosure () throws -> Program.Outcome) throws -> Double {
        let start = ContinuousClock.now
        let outcome = try run()
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        return (ContinuousClock.now - start) / .seconds(1)
    }

    @Test func anImportStoppedAtAnyInstantTellsTheTruth() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let place = try Place()
        let whole = try duration(place.fixture.run(["-e", "import \(place.source) whole"]))
        #expect(try place.count("whole") == Self.documentCount)
        for round in 0..<Self.rounds {
            let name = "c\(round)"
            let signal = Self.signals[round % Self.signals.count]
            let goesOn = round % 8 >= 4
            let errors = place.fixture.folder["errors"]
            let program = try BackgroundProgram(
                place.fixture.nexa,
                [
                    "--local", place.fixture.database, "-e",
                    "import \(place.source) \(name) --batch 200\(goesOn ? " --on-error skip" : "")"
                ], environment: place.fixture.environment, errors: errors)
            usleep(UInt32(Double.random(in: 0...whole * 1.1, using: &random) * 1e6))
            program.signal(signal)
            let code = try #require(program.finish(), "round \(round) seed \(seed)")
            let said = place.fixture.folder.read("errors") ?? ""
            let stored = try place.count(name)
            let comment: Comment =
                "round \(round) seed \(seed) signal \(signal) code \(code): \(stored) stored, said \(said)"
            switch code {
            case 0:
                #expect(stored == Self.documentCount, comment)
            case 130:
                let written = said.firstMatch(of: /Stopped: (\d+) written/).flatMap { Int($0.output.1) }
                // Before it connected it had nothing to say.
                #expect(written == stored || (written == nil && stored == 0), comment)
                if let written, written > 0 {
                    #expect(said.contains("resume with: import \(place.source) \(name) --skip \(written)\n"), comment)
                    let rest = try place.fixture.run(["-e", "import \(place.source) \(name) --skip \(written)"])
                    #expect(rest.exitCode == 0, "\(rest.errors)")
                    #expect(try place.count(name) == Self.documentCount, comment)
                }
            default: #expect(code == 128 + signal, comment)
            }
            // One after the other: what is there has no holes.
            if !goesOn { #expect(try place.count(name, "{_id: {$lte: \(stored)}}") == stored, comment) }
        }
    }

    @Test func anExportStoppedAtAnyInstantLeavesNoHalfFile() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let place = try Place()
        #expect(try place.fixture.run(["-e", "import \(place.source) c"]).exitCode == 0)
        let target = place.fixture.folder["out.ndjson"]
        let whole = try duration(place.fixture.run(["-e", "export c \(target)"]))
        let expected = Files.read(target)
        #expect(expected.count { $0 == 0x0A } == Self.documentCount)
        for round in 0..<Self.rounds {
            let signal = Self.signals[round % Self.signals.count]
            let hasOld = round % 8 >= 4
            unlink(target)
            if hasOld { try Files.write(Array("old\n".utf8), to: target) }
            let program = try BackgroundProgram(
                place.fixture.nexa, ["--local", place.fixture.database, "-e", "export c \(target)"],
                environment: place.fixture.environment)
            usleep(UInt32(Double.random(in: 0...whole * 1.1, using: &random) * 1e6))
            program.signal(signal)
            let code = try #require(program.finish(), "round \(round) seed \(seed)")
            let comment: Comment = "round \(round) seed \(seed) signal \(signal) code \(code)"
            let isThere = access(target, F_OK) == 0
            let content = isThere ? Files.read(target) : []
            #expect(!isThere || content == expected || (hasOld && content == Array("old\n".utf8)), comment)
            if code == 0 { #expect(content == expected, comment) }
            if signal == SIGKILL, code != 0 {
                unlink(target + ".part")
            } else {
                #expect(access(target + ".part", F_OK) != 0, comment)
            }
        }
    }

    @Test func aFolderStoppedAtAnyInstantIsWholeOrNotThere() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let place = try Place()
        for name in ["a", "b"] {
            #expect(try place.fixture.run(["-e", "import \(place.source) \(name)"]).exitCode == 0)
        }
        let whole = try duration(place.fixture.run(["-e", "export --all \(place.fixture.folder["first"])"]))
        for round in 0..<max(4, Self.rounds / 2) {
            let signal = Self.signals[round % Self.signals.count]
            let target = place.fixture.folder["dump"]
            let program = try BackgroundProgram(
                place.fixture.nexa, ["--local", place.fixture.database, "-e", "export --all \(target)"],
                environment: place.fixture.environment)
            usleep(UInt32(Double.random(in: 0...whole * 1.1, using: &random) * 1e6))
            program.signal(signal)
            let code = try #require(program.finish(), "round \(round) seed \(seed)")
            let comment: Comment = "round \(round) seed \(seed) signal \(signal) code \(code)"
            if Files.isFolder(target) {
                #expect(Files.names(in: target).sorted() == ["a.ndjson", "b.ndjson", "manifest.json"], comment)
                #expect(try place.fixture.run(["-e", "import \(target) --dry-run"]).exitCode == 0, comment)
                Files.remove(target)
            } else {
                #expect(code != 0, comment)
            }
            // The next export takes the place of what a killed one left.
            if signal != SIGKILL { #expect(!Files.isFolder(target + ".part"), comment) }
        }
    }

    @Test func theTerminalIsAsItWas() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let place = try Place()
        for round in 0..<max(4, Self.rounds / 2) {
            let command =
                round % 2 == 0
                ? "import \(place.source) t\(round)" : "import \(place.source) t\(round); export t\(round)"
            let session = try PTYKit.Session(
                "/bin/sh",
                [
                    "-c",
                    "stty -a >'\(place.fixture.folder["before"])'; "
                        + "'\(place.fixture.nexa)' --local '\(place.fixture.database)' -e '\(command)'; "
                        + "stty -a >'\(place.fixture.folder["after"])'"
                ], environment: place.fixture.environment)
            #expect(session.wait { _ in SignalTests.child(of: session.process) != nil })
            usleep(UInt32.random(in: 0...400_000, using: &random))
            let signal = Self.signals[round / 2 % 3]
            if let shell = SignalTests.child(of: session.process) { kill(shell, signal) }
            #expect(session.finish() != nil, "round \(round) seed \(seed)")
            #expect(
                place.fixture.folder.read("after") == place.fixture.folder.read("before"),
                "round \(round) seed \(seed) signal \(signal)")
        }
    }

    @Test func aReaderThatLeavesEndsItSilentlyEachTime() throws {
        let place = try Place()
        #expect(try place.fixture.run(["-e", "import \(place.source) c"]).exitCode == 0)
        for round in 0..<Self.rounds {
            let format = ["ndjson", "json", "csv", "ejson"][round % 4]
            let outcome = try place.fixture.run(["-e", "export c - --format \(format)"], closesOutputAfter: 1)
            #expect(outcome.exitCode == 141)
            #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        }
        #expect(try place.fixture.run(["-q", "-e", "use c; count"]).output == "\(Self.documentCount)\n")
    }
}

extension String {
    /// The text without what a condition means at its end.
    fileprivate func trimmingSuffix(while condition: (Character) -> Bool) -> Substring {
        var text = self[...]
        while let last = text.last, condition(last) { text.removeLast() }
        return text
    }
}
