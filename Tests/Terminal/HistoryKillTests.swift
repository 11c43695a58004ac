import Glibc
import PTYKit
import TestKit
import Testing

/// What was entered is in the history, however the shell ends.
@Suite struct HistoryKillTests {
    private static var runs: Int { getenv("NEXA_SWEEP_RUNS").flatMap { Int(String(cString: $0)) } ?? 12 }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    /// A line is kept from its Enter on: what it does may take the shell down.
    @Test func killedShellsLoseNoLine() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try ShellFixture()
        let holder = try fixture.open(["--no-history"])
        fixture.environment["NEXA"] = fixture.nexa
        var entered: [String] = []
        for run in 0..<Self.runs {
            // Nobody else may read the file, whatever the user's mask is.
            let session = try Session(
                "/bin/sh", ["-c", "umask 000; exec \"$NEXA\" --local \"$HOME/data\""],
                environment: fixture.environment)
            try #require(session.prompts("nexa>"), "seed \(seed), run \(run): \(session.screen.text)")
            for number in 0..<(1 + Int(random.next() % 5)) {
                let name = "r\(run)n\(number)"
                session.send("use \(name)\r")
                #expect(session.wrote("Switched to collection '\(name)'"), "seed \(seed), run \(run)")
                entered.append("use \(name)")
            }
            // One more, which may or may not have been entered when the signal comes.
            session.send("use perhaps\(random.next() % 2 == 0 ? "\r" : "")")
            session.wait(seconds: Double(random.next() % 3) / 1000) { _ in false }
            session.signal(SIGKILL)
            #expect(session.finish() == 128 + SIGKILL)
            #expect(mode(fixture.folder[".nexadb_history"]) == 0o600)
        }
        let lines = (fixture.folder.read(".nexadb_history") ?? "").split(separator: "\n").map(String.init)
        #expect(lines.first == "#V2")
        #expect(lines.dropFirst().filter { $0 != "use perhaps" } == entered, "seed \(seed)")
        holder.send("ping\r")
        #expect(holder.sees("✓ Pong"))
    }

    @Test func twentyShellsAtOnceMixNoLines() throws {
        let fixture = try ShellFixture()
        let holder = try fixture.open(["--no-history"])
        let sessions = try (0..<20).map { _ in
            try Session(fixture.nexa, ["--local", fixture.database], environment: fixture.environment)
        }
        for session in sessions { try #require(session.prompts("nexa>"), "\(session.screen.text)") }
        for round in 0..<10 {
            for (shell, session) in sessions.enumerated() { session.send("use s\(shell)r\(round)\r") }
        }
        for (shell, session) in sessions.enumerated() {
            #expect(session.prompts("nexa(s\(shell)r9)>"))
            session.signal(SIGKILL)
        }
        let lines = (fixture.folder.read(".nexadb_history") ?? "").split(separator: "\n").dropFirst().map(String.init)
        #expect(lines.count == 200)
        for shell in 0..<20 {
            let own = lines.filter { $0.hasPrefix("use s\(shell)r") }
            #expect(own == (0..<10).map { "use s\(shell)r\($0)" })
        }
        holder.send("ping\r")
        #expect(holder.sees("✓ Pong"))
    }
}
