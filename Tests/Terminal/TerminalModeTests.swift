import Glibc
import PTYKit
import TestKit
import Testing

/// The terminal after an end that the shell did not choose: a signal from outside, or a terminal that was closed.
@Suite struct TerminalModeTests {
    /// Where the shell is when its end comes.
    enum Place: String, CaseIterable {
        case halfALine, search, list, openPaste, continuation, confirmation, shellCommand, password

        /// What is typed to come there.
        var keys: String {
            switch self {
            case .halfALine: "use mov"
            case .search: "\u{12}us"
            case .list: "query {f"
            case .openPaste: "\u{1B}[200~use a\ruse b"
            case .continuation: "query {\r"
            case .confirmation: "drop_db other\r"
            case .shellCommand: "\\! echo be''gun; sleep 30\r"
            case .password: "passwd\r"
            }
        }

        /// What is seen there.
        var sign: String {
            switch self {
            case .halfALine: "nexa(wide)> use mov"
            case .search: "bck?us"
            case .list: "Display all"
            case .openPaste: "nexa(wide)>"
            case .continuation: "...>"
            case .confirmation: "Type 'yes'"
            case .shellCommand: "begun"
            case .password: "assword"
            }
        }
    }

    private static let script = """
        trap : INT
        stty -a > "$HOME/before"
        "$NEXA" --local "$HOME/data" --collection wide
        code=$?
        stty -a > "$HOME/after"
        stty sane
        stty -a > "$HOME/sane"
        echo "code $code"
        """

    private func open(_ place: Place) throws -> (ShellFixture, Session) {
        let fixture = try ShellFixture()
        fixture.environment["NEXA"] = fixture.nexa
        let fields = (0..<120).map { "f\($0): \($0)" }.joined(separator: ", ")
        #expect(try fixture.run(["-e", "create_db other", "-e", "use wide", "-e", "create {\(fields)}"]).exitCode == 0)
        let session = try Session("/bin/sh", ["-c", Self.script], environment: fixture.environment)
        session.companion = fixture
        try #require(session.prompts("nexa(wide)>"))
        session.send(place.keys)
        // The fields are asked for in the background.
        for _ in 0..<50 where place == .list && !session.sees(place.sign, seconds: 0.2) { session.send("\t") }
        try #require(session.sees(place.sign), "\(place): \(session.screen.text)")
        return (fixture, session)
    }

    @Test(arguments: Place.allCases, [SIGTERM, SIGHUP])
    func aSignalLeavesTheTerminalAsItWas(_ place: Place, _ signal: CInt) throws {
        let (fixture, session) = try open(place)
        kill(try #require(SignalTests.child(of: session.process)), signal)
        #expect(session.sees("code \(128 + signal)"), "\(place): \(session.screen.text)")
        #expect(fixture.folder.read("after") == fixture.folder.read("before"), "\(place)")
        #expect(!session.screen.isBracketingPaste, "\(place)")
    }

    @Test(arguments: Place.allCases)
    func aTerminalThatIsClosedEndsTheShell(_ place: Place) throws {
        let (fixture, session) = try open(place)
        let shell = try #require(SignalTests.child(of: session.process))
        session.hangUp()
        #expect(session.wait { _ in kill(shell, 0) != 0 }, "\(place)")
        let history = fixture.folder.read(".nexadb_history") ?? "#V2\n"
        #expect(history.hasPrefix("#V2\n") && history.hasSuffix("\n"))
    }

    /// No program notices SIGKILL: the manual says what to type then.
    @Test func afterAKillTheTerminalIsPutBackByHand() throws {
        let (fixture, session) = try open(.halfALine)
        kill(try #require(SignalTests.child(of: session.process)), SIGKILL)
        #expect(session.sees("code 137"))
        #expect(fixture.folder.read("after")?.contains(" -icanon") == true)
        let sane = try #require(fixture.folder.read("sane")).split { $0.isWhitespace || $0 == ";" }
        for mode in ["icanon", "isig", "icrnl", "echo"] { #expect(sane.contains { $0 == mode }, "\(mode)") }
        #expect(try fixture.run(["--man"]).output.contains("stty sane"))
    }
}
