import Glibc
import PTYKit
import TestKit
import Testing

/// Random keys and bytes: the shell never crashes, the prompt always returns, and memory stays where it was.
///
/// NEXA_KEY_FUZZ_SECONDS makes it longer (`make fuzz`); NEXA_KEY_FUZZ_SEED repeats a run. How much was pressed and the
/// memory of the shell go to standard output.
@Suite struct KeyFuzzTests {
    /// What hands are likely to press; no `!` and no `|`, which would start programs.
    private static let keys: [String] =
        (0..<32).filter { ![4, 10, 13, 26].contains($0) }.map { String(Unicode.Scalar(UInt8($0))) }
        + [
            "\r", "\r", "\t", "\t", "\u{1B}[A", "\u{1B}[B", "\u{1B}[C", "\u{1B}[D", "\u{1B}[H", "\u{1B}[F", "\u{1B}[3~",
            "\u{1B}b", "\u{1B}f", "\u{1B}d", "\u{1B}\r", "\u{1B}[1;5C", "\u{1B}[1;5D", "\u{7F}", "\u{7F}", "\u{12}us",
            "\u{13}", "\u{18}\u{5}", "\u{1B}[200~", "\u{1B}[201~", "\u{1B}[200~a\rb\tc\u{1B}[201~", "\u{16}\u{1}",
            "use ", "query {", "create {\"", "count", "databa", "{", "}", "[", "]", "\"", "'", ":", ",", "$", "$gt",
            ";",
            "a", "b", "_", " ", "é", "日本", "👩‍👩‍👧", "e\u{301}", "\u{202E}", "help keys\r", "\\e\r", "\\s\r", "collections\r"
        ]

    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    /// How much more memory the shell may hold at the end than after ten rounds, in KiB.
    private static let growth = 16 << 10

    /// The memory of a process in KiB.
    private static func memory(of process: pid_t) -> Int {
        let file = open("/proc/\(process)/statm", O_RDONLY)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4 : 0
    }

    @Test(arguments: ["emacs", "vi"])
    func randomKeysNeverBreakThePrompt(_ mode: String) throws {
        let seed = Self.number("NEXA_KEY_FUZZ_SEED") ?? .random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let fixture = try ShellFixture(["EDITOR": "/bin/true"])
        if mode == "vi" { _ = try fixture.folder.write(".editrc", "nexa:bind -v\n") }
        let session = try fixture.open(rows: 40)
        // Files that random keys name are no business of the folder that the tests run in.
        session.send("\\cd \(fixture.folder.path)\r")
        let clock = ContinuousClock()
        let end = clock.now + .seconds(Int(Self.number("NEXA_KEY_FUZZ_SECONDS") ?? 2))
        let start = clock.now
        var rounds = 0
        var inputs = 0
        var settled = 0
        var middle = 0
        var sent = SentKeys()
        while rounds < 10 || clock.now < end {
            sent.beginRound()
            for _ in 0..<Int(random.next() % 40) {
                inputs += 1
                if random.next() % 8 == 0 {
                    let bytes = (0..<Int(random.next() % 6)).map { _ in Self.byte(&random) }
                    sent.note(bytes)
                    session.send(bytes)
                } else {
                    let key = Self.keys[Int(random.next() % UInt64(Self.keys.count))]
                    sent.note(Array(key.utf8))
                    session.send(key)
                }
                if random.next() % 20 == 0 {
                    let columns = 1 + Int(random.next() % 200)
                    sent.note(width: columns)
                    session.resize(columns: columns, rows: 40)
                }
            }
            session.resize(columns: 80, rows: 40)
            rounds += 1
            // Whatever was open, some Ctrl-C leave it; then the shell answers.
            let mark = "round \(rounds)."
            var isBack = false
            for attempt in 0..<40 where !isBack && session.isRunning {
                session.send("\u{3}")
                // A paste whose end is missing is only left when nothing follows the Ctrl-C for a while.
                session.wait(seconds: attempt == 0 ? 0.1 : 0.5) { _ in false }
                // `\o round` is soon typed when `\echo round` is edited: then the answer would be in a file.
                session.send("\u{15}\\o\r\u{15}\\echo round  \(rounds).\r")
                isBack = session.wrote(mark, seconds: 0.5)
            }
            #expect(
                isBack, "seed \(seed), \(mode), round \(rounds), keys: \(sent.text)\nscreen: \(session.screen.text)")
            guard isBack else { return }
            if rounds == 10 { settled = Self.memory(of: session.process) }
            if middle == 0, clock.now > start + (end - start) / 2 { middle = Self.memory(of: session.process) }
        }
        // The history and what completion knows may grow a little; what leaks grows with every round.
        let last = Self.memory(of: session.process)
        let seconds = Double((clock.now - start).components.seconds) + 0.001
        print(
            "\(mode): \(inputs) keys and bytes in \(rounds) rounds, \(Int(Double(inputs) / seconds)) a second; resident "
                + "\(settled) KiB after 10 rounds, \(middle) in the middle, \(last) at the end (at most \(Self.growth) more)"
        )
        #expect(
            last - settled < Self.growth, "seed \(seed), \(mode): \(last - settled) KiB more after \(rounds) rounds")
        session.send("\u{3}\u{15}exit\r")
        for _ in 0..<40 where session.finish(seconds: 0.5) == nil { session.send("\u{3}\u{15}exit\r") }
        #expect(session.finish() == 0, "seed \(seed), \(mode)")
    }

    /// Any byte but those that end the input, start programs or stop the shell.
    private static func byte(_ random: inout SplitMix64) -> UInt8 {
        while true {
            let byte = UInt8(truncatingIfNeeded: random.next())
            if ![4, 26, 0x21, 0x7C].contains(byte) { return byte }
        }
    }
}

/// What was pressed in the last rounds, for the report of a failure.
private struct SentKeys {
    private static let kept = 3
    private var rounds: [[String]] = []

    mutating func beginRound() {
        rounds.append([])
        if rounds.count > Self.kept { rounds.removeFirst() }
    }

    mutating func note(_ bytes: [UInt8]) {
        let text = bytes.map { byte -> String in
            let isPlain = (0x20..<0x7F).contains(byte) && byte != 0x5C && byte != 0x22
            let digits = String(byte, radix: 16)
            return isPlain ? String(Unicode.Scalar(byte)) : "\\x" + (digits.count < 2 ? "0" : "") + digits
        }
        note("\"\(text.joined())\"")
    }

    mutating func note(width: Int) { note("width \(width)") }

    private mutating func note(_ text: String) { rounds[rounds.count - 1].append(text) }

    var text: String { rounds.map { $0.joined(separator: " ") }.joined(separator: "\n--- next round: ") }
}
