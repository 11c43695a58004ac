import Glibc
import PTYKit
import TestKit
import Testing

@Suite struct SignalTests {
    @Test func theTerminalIsAsItWasAfterEveryEnd() throws {
        for end in ["exit\r", "\u{4}", "TERM", "HUP", "QUIT", "INT-EXIT"] {
            let fixture = try ShellFixture()
            let session = try Session(
                "/bin/sh",
                ["-c", "'\(fixture.nexa)' --local '\(fixture.database)'; stty -a >'\(fixture.folder.path)/after'"],
                environment: fixture.environment)
            #expect(session.prompts("nexa>"))
            let shell = try #require(Self.child(of: session.process))
            switch end {
            case "TERM": kill(shell, SIGTERM)
            case "HUP": kill(shell, SIGHUP)
            case "QUIT": kill(shell, SIGQUIT)
            case "INT-EXIT":
                kill(shell, SIGINT)
                #expect(session.sees("Use 'exit' to quit"))
                session.send("exit\r")
            default: session.send(end)
            }
            _ = session.finish()
            let after = try #require(fixture.folder.read("after"))
            let modes = after.split { $0.isWhitespace || $0 == ";" }
            for mode in ["icanon", "isig", "icrnl", "opost", "echo"] {
                #expect(modes.contains { $0 == mode }, "after \(end): \(after)")
            }
            #expect(!session.screen.isBracketingPaste, "after \(end)")
        }
    }

    @Test func theParentSeesTheSignal() throws {
        for (signal, code) in [(SIGTERM, 143), (SIGHUP, 129)] as [(CInt, CInt)] {
            let session = try ShellFixture().open()
            session.signal(signal)
            #expect(session.finish() == code)
        }
    }

    @Test func ctrlZStopsAndComesBack() throws {
        let fixture = try ShellFixture()
        let session = try Session("/bin/bash", ["--norc", "-i"], environment: fixture.environment)
        session.send("PS1='sh$ '\r")
        #expect(session.prompts("sh$"))
        session.send("'\(fixture.nexa)' --local '\(fixture.database)'\r")
        #expect(session.prompts("nexa>"))
        session.send("use mov")
        #expect(session.prompts("nexa> use mov"))
        session.send("\u{1A}")
        #expect(session.sees("Stopped"))
        #expect(session.prompts("sh$"))
        session.send("fg\r")
        #expect(session.wait { $0.screen.cursorLine.hasSuffix("nexa> use mov") })
        session.send("ies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("exit\r")
        #expect(session.prompts("sh$"))
    }

    /// EL_SIGNAL would send the signal on to the whole process group, and take the wrapper down with the shell.
    @Test func signalsStayWithTheShell() throws {
        let fixture = try ShellFixture()
        let session = try Session(
            "/bin/sh", ["-c", "'\(fixture.nexa)' --local '\(fixture.database)'; echo wrapper lives"],
            environment: fixture.environment)
        #expect(session.prompts("nexa>"))
        let shell = try #require(Self.child(of: session.process))
        kill(shell, SIGTERM)
        #expect(session.sees("wrapper lives"))
    }

    @Test func ctrlCStopsARunningImportAndTellsHowToGoOn() throws {
        let fixture = try ShellFixture()
        mkfifo(fixture.folder.path + "/pipe", 0o600)
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("import \(fixture.folder.path)/pipe\r")
        let writer = Glibc.open(fixture.folder.path + "/pipe", O_WRONLY)
        #expect(writer >= 0)
        defer { close(writer) }
        // More than a pipe holds: when it is written, the shell is reading.
        let documents = [UInt8]((0..<20_000).map { "{\"_id\": \($0)}\n" }.joined().utf8)
        var offset = 0
        while offset < documents.count {
            let count = documents[offset...].withUnsafeBytes { write(writer, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            offset += count
        }
        session.send("\u{3}")
        #expect(session.wrote("resume with: import "))
        #expect(session.prompts("nexa(movies)>"))
        session.send("use other\r")
        #expect(session.prompts("nexa(other)>"))
    }

    @Test func anImportWhoseServerDiedTellsWhatIsStored() throws {
        let fixture = try ShellFixture()
        mkfifo(fixture.folder["pipe"], 0o600)
        let session = try fixture.open(columns: 300)
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("import \(fixture.folder["pipe"])\r")
        // Open for reading as well: a shell that has stopped reading must not end the tests with SIGPIPE.
        let writer = Glibc.open(fixture.folder["pipe"], O_RDWR)
        #expect(writer >= 0)
        defer { close(writer) }
        func write(_ lines: Range<Int>) {
            let text = [UInt8](lines.map { "{\"_id\": \($0)}\n" }.joined().utf8)
            var offset = 0
            while offset < text.count {
                let count = text[offset...].withUnsafeBytes { Glibc.write(writer, $0.baseAddress, $0.count) }
                guard count > 0 else { break }
                offset += count
            }
        }
        write(1..<20_000)
        kill(try #require(Self.child(of: session.process)), SIGKILL)
        _ = fcntl(writer, F_SETFL, O_NONBLOCK)
        write(20_000..<40_000)
        try #require(session.sees("document(s) imported into movies before line "), "\(session.screen.text)")
        let words = session.screen.text.split { " .\n".contains($0) }
        let place = try #require(words.firstIndex(of: "document(s)"))
        let stored = try #require(Int(words[place - 1]))
        #expect(words[place + 6] == "\(stored + 1)", "the lines before it are all stored: \(session.screen.text)")
        // Every document that was counted is there, and at most the batch on its way behind them.
        session.send("count {_id: {$lte: \(stored)}}\r")
        #expect(session.sees("✓ Document count: \(stored)"))
        session.send("count {_id: {$gt: \(stored + 1000)}}\r")
        #expect(session.sees("✓ Document count: 0"))
    }

    @Test func ctrlCBringsThePromptBackWhateverTheServerDoes() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("use movies\r")
        #expect(session.prompts("nexa(movies)>"))
        let server = try #require(Self.child(of: session.process))
        Self.stop(server)
        defer { kill(server, SIGCONT) }
        session.send("count\r")
        #expect(session.wait { !$0.screen.isBracketingPaste })  // it is running
        session.send("\u{3}")
        #expect(session.sees("⚠ Cancelled"))
        #expect(session.prompts("nexa(movies)>"))
        kill(server, SIGCONT)
        session.send("ping\r")
        #expect(session.sees("✓ Pong"))
    }

    @Test func aServerThatDiedIsStartedAgain() throws {
        let session = try ShellFixture().open()
        session.send("use movies\rcreate {\"_id\": 1}\r")
        #expect(session.sees("✓ Document created: 1"))
        let server = try #require(Self.child(of: session.process))
        kill(server, SIGKILL)
        session.send("count\r")
        #expect(session.wait { $0.screen.text.contains("✗ Error") || $0.screen.text.contains("Document count: 1") })
        session.send("count\r")
        #expect(session.sees("✓ Document count: 1"), "\(session.screen.text)")
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    /// Stops a process, and returns when all of its threads stand still: until the kernel has told each of them, one
    /// may still answer.
    static func stop(_ process: pid_t) {
        kill(process, SIGSTOP)
        for _ in 0..<2000 where !threads(of: process).allSatisfy({ isStopped($0, of: process) }) { usleep(1000) }
    }

    private static func threads(of process: pid_t) -> [String] {
        guard let threads = opendir("/proc/\(process)/task") else { return [] }
        defer { closedir(threads) }
        var names: [String] = []
        while let entry = readdir(threads) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private static func isStopped(_ thread: String, of process: pid_t) -> Bool {
        let file = Glibc.open("/proc/\(process)/task/\(thread)/stat", O_RDONLY)
        guard file >= 0 else { return true }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(file, &bytes, bytes.count)
        // The state stands behind the name, which is in parentheses.
        let rest = bytes.prefix(max(0, count)).drop { $0 != UInt8(ascii: ")") }.dropFirst(2)
        return rest.first == UInt8(ascii: "T")
    }

    /// The only child of a process, whichever of its threads started it.
    static func child(of process: pid_t) -> pid_t? {
        guard let threads = opendir("/proc/\(process)/task") else { return nil }
        defer { closedir(threads) }
        while let entry = readdir(threads) {
            let thread = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let file = Glibc.open("/proc/\(process)/task/\(thread)/children", O_RDONLY)
            guard file >= 0 else { continue }
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = read(file, &bytes, bytes.count)
            let children = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
            if let child = children.first { return pid_t(child) }
        }
        return nil
    }
}
