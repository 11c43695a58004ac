import Glibc
import PTYKit
import Synchronization
import TestKit
import Testing

/// Imports, exports and typing that are interrupted at random moments: what was acknowledged is there, what is printed is
/// true, a file is whole or as it was, and the terminal is as it was found.
///
/// NEXA_INTERRUPTION_RUNS says how many, NEXA_INTERRUPTION_SEED which ones; `make interruptions` sets the first. How far it
/// is goes to standard output, and at the end a line with what was done.
@Suite struct InterruptionTests {
    private static let shards = 2
    /// A part gives up after so many runs that could not be carried out.
    private static let mostBroken = 20
    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    /// What the parts have done so far.
    private struct Tally {
        var runs = 0
        var broken = 0
        var metAtWork = 0
        var finishedParts = 0
        var counts: [String: Int] = [:]
    }

    private static let tally = Mutex(Tally())
    private static let seed = number("NEXA_INTERRUPTION_SEED") ?? UInt64.random(in: 0 ... .max)

    @Test(arguments: 0..<InterruptionTests.shards) func nothingIsHalfDone(_ shard: Int) throws {
        let runs = Int(Self.number("NEXA_INTERRUPTION_RUNS") ?? 60)
        let seed = Self.seed
        let start = ContinuousClock.now
        let lab = try InterruptionLab(seed: seed, shard: shard)
        var broken = 0
        for run in stride(from: shard, to: runs, by: Self.shards) where broken < Self.mostBroken {
            let trial = lab.trial(run)
            do {
                try lab.carryOut(trial)
            } catch {
                // One shell that does not come as far must not end thousands of runs.
                broken += 1
                Issue.record(error, "\(trial)")
            }
            let done = Self.tally.withLock { tally in
                tally.runs += 1
                tally.counts["\(trial.work) \(trial.cut)", default: 0] += 1
                return tally.runs
            }
            if done % 100 == 0 { Self.say("interruptions: \(done) of \(runs) in \(Self.seconds(since: start))") }
        }
        let tally = Self.tally.withLock { tally in
            tally.broken += broken
            tally.metAtWork += lab.metAtWork
            tally.finishedParts += 1
            return tally
        }
        guard tally.finishedParts == Self.shards else { return }
        let table = tally.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        Self.say(
            "interruptions, seed \(seed): \(tally.runs) of \(runs) in \(Self.seconds(since: start)), met at work "
                + "\(tally.metAtWork), not carried out \(tally.broken): \(table)")
    }

    private static func seconds(since start: ContinuousClock.Instant) -> String {
        "\((ContinuousClock.now - start).components.seconds) s"
    }

    /// Standard output is a pipe or a file as a rule, where lines would wait for thousands of others.
    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}

/// What is done, how it is interrupted, and when.
struct InterruptionTrial: CustomStringConvertible {
    enum Work: CaseIterable {
        case importing, importingWithRejects, typedImport, exporting, typedExport, exportingToPipe, typing
    }

    enum Cut: CaseIterable {
        case interrupt, interruptTwice, terminate, hangUp, kill, closedTerminal, stopped, closedPipe

        /// The signal that the process ends with when it was at work.
        var signal: CInt? {
            switch self {
            case .interrupt, .interruptTwice: SIGINT
            case .terminate: SIGTERM
            case .hangUp, .closedTerminal: SIGHUP
            case .kill: SIGKILL
            case .stopped: nil
            case .closedPipe: SIGPIPE
            }
        }
    }

    var run: Int
    var seed: UInt64
    var work: Work
    var cut: Cut
    /// Seconds from the start.
    var delay: Double
    var format: String
    var isPacked: Bool
    /// Whether there is a file with the name already.
    var replaces: Bool

    var description: String {
        "seed \(seed), run \(run): \(work) in \(format)\(isPacked ? ".gz" : ""), \(cut) after \(delay) s"
    }
    var file: String { "out-\(run).\(format)\(isPacked ? ".gz" : "")" }
    var collection: String { "c\(run)" }
}

/// A server with documents, and shells on it that are interrupted.
final class InterruptionLab {
    private static let documents = 4000
    private static let exported = 6000
    private static let batch = 100
    private static let jobs = 4
    private static let formats = ["ndjson", "json", "csv", "tsv", "ejson", "toon"]
    /// Runs the shell as a job that can be stopped and continued, and looks at the terminal around it. For dash: bash ends
    /// with a job that was interrupted.
    private static let script = """
        set -m
        trap : INT
        stty -a > "$HOME/before"
        /bin/sh -c 'echo "$$ " > "$HOME/pid"; exec "$NEXA" "$@"' sh --local "$HOME/data" "$@"
        code=$?
        while [ $code -eq 147 ] || [ $code -eq 148 ]; do
          stty -a > "$HOME/stopped"
          echo stopped
          fg > /dev/null
          code=$?
        done
        stty -a > "$HOME/after"
        echo "code $code"
        """

    private let fixture: ShellFixture
    private let seed: UInt64
    /// Holds the server, so that each run only has to connect.
    private let holder: Session
    private let input: String
    /// What an export writes that nobody interrupts.
    private var whole: [String: [UInt8]] = [:]
    /// How long an import and an export take by themselves.
    private var duration = 0.0
    /// How many of the runs were interrupted before they were done.
    private(set) var metAtWork = 0

    init(seed: UInt64, shard: Int) throws {
        self.seed = seed
        fixture = try ShellFixture()
        fixture.environment["NEXA"] = fixture.nexa
        holder = try fixture.open(["--no-history"])
        input = try fixture.folder.write(
            "in.ndjson", (0..<Self.documents).map { "{\"_id\":\"d\($0)\",\"n\":\($0)}\n" }.joined())
        let lines = (0..<Self.exported).map {
            "{\"_id\":\"d\($0)\",\"n\":\($0),\"t\":\"text, and \\\"more\\\" of it\"}\n"
        }
        #expect(try fixture.run(["-q", "-e", "import - big"], input: lines.joined()).exitCode == 0)
        for format in Self.formats {
            for packed in ["", ".gz"] {
                let name = "whole.\(format)\(packed)"
                let command = "export big \(fixture.folder[name]) --sort n \(packed.isEmpty ? "" : "--gzip")"
                #expect(try fixture.run(["-q", "-e", command]).exitCode == 0)
                let content: [UInt8] = try #require(bytes(name))
                whole[format + packed] = content
            }
        }
        let start = Self.now
        #expect(try fixture.run(["-q", "-e", "import \(input) first --batch \(Self.batch)"]).exitCode == 0)
        duration = Self.now - start
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The trial with a number; the same seed gives the same one, but for the moment on another machine.
    func trial(_ run: Int) -> InterruptionTrial {
        var random = SplitMix64(seed: seed &+ UInt64(run) &* 0x9E37_79B9_7F4A_7C15)
        let work = InterruptionTrial.Work.allCases.randomElement(using: &random) ?? .typing
        let cuts = InterruptionTrial.Cut.allCases.filter { ($0 == .closedPipe) == (work == .exportingToPipe) }
        return InterruptionTrial(
            run: run, seed: seed, work: work, cut: cuts.randomElement(using: &random) ?? .kill,
            delay: Double.random(in: 0...1, using: &random) * duration * 1.1,
            format: Self.formats.randomElement(using: &random) ?? "ndjson", isPacked: random.next() % 4 == 0,
            replaces: random.next() % 2 == 0)
    }

    // MARK: One run

    func carryOut(_ trial: InterruptionTrial) throws {
        guard trial.work != .exportingToPipe else { return try closePipe(trial) }
        if trial.replaces { _ = try fixture.folder.write(trial.file, "old\n") }
        for name in ["before", "after", "stopped", "pid"] { unlink(fixture.folder[name]) }
        let (arguments, typed) = commands(of: trial)
        let session = try Session(
            "/bin/sh", ["-c", Self.script, "sh"] + arguments, environment: fixture.environment, columns: 300)
        session.companion = fixture
        try #require(session.wait { _ in self.fixture.folder.read("pid")?.hasSuffix(" \n") == true }, "\(trial)")
        let process = try #require(fixture.folder.read("pid").flatMap { pid_t($0.prefix { $0 != " " }) })
        if arguments.isEmpty, !typed.isEmpty {
            #expect(session.prompts("nexa>"), "\(trial)")
            for keys in typed { session.send(keys) }
        }
        // This is the random moment itself: there is nothing to wait for.
        session.wait(seconds: trial.delay) { _ in false }
        interrupt(session, process, trial)
        let code = try end(session, process, trial, isPrompt: arguments.isEmpty)
        try check(session, code, trial)
        unlink(fixture.folder[trial.file])
        unlink(fixture.folder[trial.file + ".part"])
    }

    /// The arguments of the shell, or what is typed at its prompt.
    private func commands(of trial: InterruptionTrial) -> ([String], [String]) {
        let gzip = trial.isPacked ? "--gzip" : ""
        let importing = "import \(input) \(trial.collection) --batch \(Self.batch)"
        let exporting = "export big \(fixture.folder[trial.file]) --sort n \(gzip)"
        switch trial.work {
        case .importing: return (["-e", importing], [])
        case .importingWithRejects: return (["-e", importing + " --on-error skip --jobs \(Self.jobs)"], [])
        case .typedImport: return ([], [importing + "\r"])
        case .exporting: return (["-e", exporting], [])
        case .typedExport: return ([], [exporting + "\r"])
        case .exportingToPipe: return ([], [])
        case .typing:
            let creations = (0..<40).map { "create {\"_id\":\"t\(trial.run)-\($0)\"}\r" }
            let others = ["databa\t", "\u{15}", "\u{1B}[A\u{15}", "\u{12}us\u{7}\u{15}", "日本\u{15}"]
            return ([], ["use \(trial.collection)\r"] + creations.enumerated().map { $1 + others[$0 % others.count] })
        }
    }

    private func interrupt(_ session: Session, _ process: pid_t, _ trial: InterruptionTrial) {
        switch trial.cut {
        case .interrupt: kill(process, SIGINT)
        case .interruptTwice:
            kill(process, SIGINT)
            session.wait(seconds: trial.delay / 20) { _ in false }
            kill(process, SIGINT)
        case .terminate: kill(process, SIGTERM)
        case .hangUp: kill(process, SIGHUP)
        case .kill: kill(process, SIGKILL)
        case .closedTerminal: session.hangUp()
        case .stopped: kill(process, SIGTSTP)
        case .closedPipe: break
        }
    }

    /// Waits for the end; a shell that goes on is left. Returns the code, `nil` when nobody could see it.
    private func end(
        _ session: Session, _ process: pid_t, _ trial: InterruptionTrial, isPrompt: Bool
    ) throws -> CInt? {
        if trial.cut == .closedTerminal {
            #expect(session.wait { _ in !Self.isRunning(process) }, "\(trial)")
            _ = session.finish()
            return nil
        }
        if isPrompt, trial.cut == .interrupt || trial.cut == .interruptTwice || trial.cut == .stopped {
            // Typed ahead, should a command still run; an interruption may drop it.
            for _ in 0..<60 where !session.wrote("code ", seconds: 1) { session.send("\u{15}exit\r") }
        }
        try #require(session.wrote("code ", seconds: 60), "\(trial): \(session.screen.text)")
        #expect(session.finish() != nil, "\(trial)")
        let log = String(decoding: session.log, as: UTF8.self)
        return log.matches(of: /code (\d+)/).last.flatMap { CInt($0.output.1) }
    }

    private static func isRunning(_ process: pid_t) -> Bool {
        let status = String(decoding: Files.read("/proc/\(process)/stat"), as: UTF8.self)
        guard let state = status.split(separator: ")").last?.split(separator: " ").first else { return false }
        return state != "Z"
    }

    private func bytes(_ name: String) -> [UInt8]? {
        access(fixture.folder[name], F_OK) == 0 ? Files.read(fixture.folder[name]) : nil
    }

    // MARK: What has to hold

    private func check(_ session: Session, _ code: CInt?, _ trial: InterruptionTrial) throws {
        let log = String(decoding: session.log, as: UTF8.self)
        let context = Comment(rawValue: "\(trial), code \(code ?? -1): \(log.suffix(600))")
        let wasAtWork = trial.cut.signal.map { code == 128 + $0 } ?? false
        let tells = ["stopped\r", "Stopped: ", "Cancelled"].contains { log.contains($0) }
        if wasAtWork || tells || code == nil { metAtWork += 1 }
        if let code {
            let before = fixture.folder.read("before")
            if trial.cut != .kill { #expect(fixture.folder.read("after") == before, context) }
            if let stopped = fixture.folder.read("stopped") { #expect(stopped == before, context) }
            #expect(code == 0 || trial.cut.signal.map { code == 128 + $0 } == true, context)
        }
        switch trial.work {
        case .importing, .importingWithRejects, .typedImport: try checkImport(log, code, trial, context)
        case .exporting, .typedExport: checkExport(log, code, trial, context)
        case .typing: try checkTyping(log, trial, context)
        case .exportingToPipe: break
        }
    }

    private func checkImport(
        _ log: String, _ code: CInt?, _ trial: InterruptionTrial, _ context: Comment
    ) throws {
        // Of one moment: after a kill the server may still store what it was sent.
        let name = trial.collection
        let counted = try fixture.run([
            "-q", "-e", "use \(name)", "-e",
            "aggregate [{$group: {_id: null, count: {$sum: 1}, last: {$max: '$n'}}}]"
        ])
        let found = counted.output.firstMatch(of: /"count":(\d+),"last":(\d+)/)
        let count = found.flatMap { Int($0.output.1) } ?? 0
        if trial.work != .importingWithRejects {
            // In their order: everything before some place, and nothing behind it.
            #expect(count == found.flatMap { Int($0.output.2) }.map { $0 + 1 } ?? 0, context)
        }
        if let final = log.firstMatch(of: /Imported (\d+) document/) {
            #expect(Int(final.output.1) == Self.documents && count == Self.documents, context)
        } else if let stopped = log.firstMatch(of: /Stopped: (\d+) written; resume with/) {
            #expect(Int(stopped.output.1) == count, context)
        } else if let left = log.firstMatch(of: /Stopped: (\d+) written; up to (\d+) batch/) {
            let (written, batches) = (Int(left.output.1) ?? 0, Int(left.output.2) ?? 0)
            #expect(written <= count && count <= written + batches * Self.batch, context)
        } else {
            #expect(code != 0 || trial.work == .typedImport, context)
        }
        _ = try fixture.run(["-q", "-y", "-e", "drop_collection \(name)"])
    }

    private func checkExport(_ log: String, _ code: CInt?, _ trial: InterruptionTrial, _ context: Comment) {
        let name = trial.format + (trial.isPacked ? ".gz" : "")
        let content = bytes(trial.file)
        let isWhole = content == whole[name]
        let isUntouched = content == (trial.replaces ? Array("old\n".utf8) : [UInt8]?.none)
        #expect(isWhole || isUntouched, "\(context): \(content?.count ?? -1) bytes")
        if let final = log.firstMatch(of: /Exported (\d+) document/) {
            #expect(isWhole && Int(final.output.1) == Self.exported, context)
        } else if trial.work == .exporting {
            #expect(code != 0, context)
        }
        if trial.cut != .kill { #expect(access(fixture.folder[trial.file + ".part"], F_OK) != 0, context) }
    }

    private func checkTyping(_ log: String, _ trial: InterruptionTrial, _ context: Comment) throws {
        let ids = Set(log.matches(of: /Document created: (t\d+-\d+)/).map { String($0.output.1) })
        let list = ids.map { "'\($0)'" }.joined(separator: ",")
        let counted = try fixture.run(["-q", "-e", "use \(trial.collection)", "-e", "count {_id: {$in: [\(list)]}}"])
        #expect(counted.output == "\(ids.count)\n", context)
    }

    /// `export … - | head -c N`: quiet, ended by SIGPIPE or done.
    private func closePipe(_ trial: InterruptionTrial) throws {
        let size = whole[trial.format]?.count ?? 0
        let limit = Int(trial.delay / (duration * 1.1) * Double(size) * 1.1)
        let outcome = try Program.run(
            "/bin/bash",
            [
                "-c",
                """
                '\(fixture.nexa)' --local '\(fixture.database)' -q -e 'export big - --sort n --format \(trial.format)' \
                | head -c \(limit); echo "code ${PIPESTATUS[0]}" >&2
                """
            ], environment: fixture.environment)
        let code = outcome.errors.firstMatch(of: /code (\d+)/).flatMap { CInt($0.output.1) } ?? -1
        if code == 128 + SIGPIPE { metAtWork += 1 }
        #expect(code == 0 || code == 128 + SIGPIPE, "\(trial): \(outcome.errors)")
        #expect(outcome.errors == "code \(code)\n", "\(trial): \(outcome.errors)")
        let expected = whole[trial.format] ?? []
        #expect(Array(outcome.output.utf8) == Array(expected.prefix(limit)), "\(trial)")
    }
}
