import Glibc
import TestKit
import Testing

@testable import NexaShell

/// What decides whether output goes to a pager, and what both get.
@Suite struct PagedSinkTests {
    init() { setlocale(LC_CTYPE, "C.UTF-8") }

    private func lines(_ count: Int) -> String { (0..<count).map { "line \($0)\n" }.joined() }

    /// Waits until a condition holds; false after some seconds.
    private func wait(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<2000 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test func whatFitsIsShownAtTheEnd() async throws {
        let terminal = MemorySink()
        let sink = PagedSink(terminal, screen: (80, 24), command: "exit 1")
        try sink.write(lines(20))
        try await sink.finish()
        #expect(terminal.text == lines(20))
        #expect(!sink.wasPaged)
    }

    @Test func whatComesSlowlyIsShownBeforeTheEnd() async throws {
        let terminal = MemorySink()
        let sink = PagedSink(terminal, screen: (80, 24), command: "exit 1")
        for count in 1...3 {
            try sink.write("line \(count - 1)\n")
            #expect(await wait { terminal.text == lines(count) })
        }
        try await sink.finish()
        #expect(terminal.text == lines(3))
    }

    @Test func thePagerGetsWhatTheScreenAlreadyHas() async throws {
        let folder = try TemporaryDirectory()
        let terminal = MemorySink()
        let prepared = MemorySink()
        let sink = PagedSink(terminal, screen: (80, 24), command: "cat >'\(folder["paged"])'") {
            try? prepared.write("x")
        }
        try sink.write(lines(3))
        try sink.flush()
        #expect(terminal.text == lines(3))
        try sink.write(String(lines(5000).dropFirst(lines(3).count)))
        try sink.write("end\n")
        try await sink.finish()
        #expect(folder.read("paged") == lines(5000) + "end\n")
        #expect(terminal.text == lines(3))
        #expect(sink.wasPaged && prepared.text == "x")
    }

    @Test(arguments: ["no-such-pager", "exec /no/such/pager", "/"]) func aMissingPager(_ command: String) async throws {
        let terminal = MemorySink()
        let sink = PagedSink(terminal, screen: (80, 24), command: command)
        try sink.write(lines(5))
        try sink.flush()
        for part in 0..<100 {
            try sink.write(
                String(lines(100 * (part + 1)).dropFirst(part == 0 ? lines(5).count : lines(100 * part).count)))
        }
        try await sink.finish()
        #expect(terminal.text == lines(10_000))
    }

    @Test func leavingThePagerIsToldFromOtherFailures() async throws {
        let sink = PagedSink(MemorySink(), screen: (80, 24), command: "exit 0")
        let error = try #require(throws: OutputError.self) {
            for _ in 0..<10_000 { try sink.write(lines(100)) }
        }
        #expect(error.isReaderGone)
        #expect(!OutputError(destination: "standard output", code: EPIPE).isReaderGone)
        try await sink.finish()
        let failure = try #require(throws: ShellError.self) { try attempt { () throws(OutputError) in throw error } }
        #expect(failure.isSilent)
    }

    @Test func lessGetsTheFlagsThatFit() async throws {
        let folder = try TemporaryDirectory()
        let wide = String(repeating: "x", count: 100)
        for (text, flags) in [
            (lines(30), "FRSX"), (String(repeating: wide + "\n", count: 20), "FRX"), ("│ \(wide) │\n", "RSX"),
            ("+-\(wide)\n", "RSX")
        ] {
            let sink = PagedSink(
                MemorySink(), screen: (80, 24), command: "echo \"$LESS\" >'\(folder["flags"])'; cat >/dev/null")
            try sink.write(text)
            try await sink.finish()
            #expect(folder.read("flags") == flags + "\n")
        }
    }

    @Test func heightCountsWrappedLinesAndNoColours() {
        func height(_ text: String) -> Int {
            var height = ScreenHeight(columns: 10)
            for byte in text.utf8 { height.add([byte]) }
            return height.rows
        }
        #expect(height("a\nb\n\n") == 3)
        #expect(height("0123456789\n") == 1)
        #expect(height("0123456789a\n") == 2)
        #expect(height("\u{1B}[1;36m0123456789\u{1B}[0m\n") == 1)
        #expect(height("漢字漢字漢字\n") == 2)
        #expect(height(String(repeating: "x", count: 1000)) > 10)
    }

    @Test func whichPager() {
        #expect(PagerChoice.standard([:]) == .command(nil))
        #expect(PagerChoice.standard(["PAGER": "more"]) == .command("more"))
        #expect(PagerChoice.standard(["PAGER": "more", "NEXA_PAGER": "less -N"]) == .command("less -N"))
        #expect(PagerChoice.standard(["PAGER": "more", "NEXA_PAGER": ""]) == .never)
        #expect(PagerChoice.standard(["PAGER": "cat"]) == .never)
    }

    @Test func whatTheOptionsMean() throws {
        func plan(_ arguments: [String], terminal: Bool = true, _ environment: [String: String] = [:]) throws
            -> Presentation
        {
            let invocation = try InvocationParser.parse(arguments).invocation
            return try Plan(
                invocation,
                in: Plan.Surroundings(
                    inputIsTerminal: terminal, outputIsTerminal: terminal, errorsAreTerminal: terminal,
                    environment: environment)
            ).presentation
        }
        #expect(try plan([]).pager == .command(nil))
        #expect(try plan([], ["TERM": "dumb"]).pager == .never)
        #expect(try plan(["--no-pager"]).pager == .never)
        #expect(try plan(["--pager", "more"], ["PAGER": "x"]).pager == .command("more"))
        #expect(try plan(["-e", "x"]).pager == .never)
        #expect(try plan([], terminal: false).pager == .never)
        let shaped = try plan([
            "--fields", "a, b.c", "--null", "-", "--no-header", "--max-width", "60", "--keys", "sorted",
            "--extra-column", "more", "--timing", "--vertical"
        ])
        #expect(
            shaped.shape
                == OutputShape(
                    fields: ["a", "b.c"], nullText: "-", hasHeader: false, maximumWidth: 60, keys: .sorted,
                    extraColumn: "more"))
        #expect(shaped.format == .vertical && shaped.isFormatNamed && shaped.showsTiming)
        #expect(try plan(["-o", "f", "-e", "x"]).format == .ndjson)
        #expect(try plan(["-o", "f"], terminal: false).mode == .script)
        #expect(try plan(["-o", "f"]).format == .pretty)
        for wrong in [["--max-width", "4"], ["--keys", "x"], ["--format", "xml"], ["--atomic=1"]] {
            #expect(throws: UsageError.self) { try plan(wrong) }
        }
    }
}
