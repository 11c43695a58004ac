import Glibc
import PTYKit
import TestKit
import Testing

@Suite struct PasswordTests {
    @Test func thePromptDoesNotEchoAndRestoresTheTerminal() throws {
        let fixture = try ShellFixture()
        let session = try Session(
            fixture.nexa, ["--port", "1", "--host", "127.0.0.1", "-p"], environment: fixture.environment)
        #expect(session.prompts("Password:"))
        #expect(session.wait { !$0.modes.echoes })
        #expect(session.modes.isCanonical)
        session.send("canary-password\r")
        #expect(session.sees("✗ Connection failed: "))
        #expect(session.finish() == 1)
        #expect(!session.wrote("canary", seconds: 0))
        #expect(session.modes.echoes)
    }

    @Test func ctrlCAtThePromptRestoresTheTerminal() throws {
        let fixture = try ShellFixture()
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let session = try Session(fixture.nexa, ["--port", "1", "-p"], environment: fixture.environment)
            #expect(session.prompts("Password:"))
            #expect(session.wait { !$0.modes.echoes })
            if signal == SIGINT { session.send("half\u{3}") } else { session.signal(signal) }
            #expect(session.finish() == 128 + signal)
            #expect(session.modes.echoes)
        }
    }

    @Test func redirectedInputAndOutputDoNotMatter() throws {
        let fixture = try ShellFixture()
        let session = try Session(
            "/bin/sh", ["-c", "echo count | '\(fixture.nexa)' --port 1 -p >'\(fixture.folder.path)/out'"],
            environment: fixture.environment)
        #expect(session.prompts("Password:"))
        session.send("x\r")
        #expect(session.finish() == 1)
        #expect(fixture.folder.read("out")?.contains("✗ Connection failed: ") == true)
    }

    @Test func withoutATerminalOtherWaysAreNamed() throws {
        let outcome = try Program.run(Products.executable("nexa"), ["--port", "1", "-p"])
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("--password-file"))
    }

    @Test func passwordFilesMustBePrivate() throws {
        let fixture = try ShellFixture()
        let open = try fixture.folder.write("open", "secret\n", mode: 0o644)
        let refused = try Program.run(fixture.nexa, ["--port", "1", "--password-file", open])
        #expect(refused.exitCode == 2)
        #expect(refused.errors.contains("chmod 600"))
        let closed = try fixture.folder.write("closed", "secret\n", mode: 0o600)
        #expect(try Program.run(fixture.nexa, ["--port", "1", "--password-file", closed]).exitCode == 1)
    }

    @Test func aPasswordOnTheCommandLineIsWiped() throws {
        let fixture = try ShellFixture()
        // A server that never says a word: when it has accepted, the command line has long been read.
        let server = try SilentServer()
        let session = try Session(
            fixture.nexa, ["--host", "127.0.0.1", "--port", "\(server.port)", "-p", "canary-password"],
            environment: fixture.environment)
        server.accept()
        let descriptor = Glibc.open("/proc/\(session.process)/cmdline", O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        #expect(words.contains("--port"))
        #expect(!words.contains("canary"))
        #expect(session.sees("⚠ A password on the command line"))
        session.send("\u{3}")
        #expect(session.finish() == 130)
    }
}

/// Listens on loopback and accepts, but never answers.
final class SilentServer {
    private let listener: CInt
    private var connection: CInt = -1
    let port: UInt16

    init() throws {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Bool in
                bind(listener, address, length) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard bound, listen(listener, 4) == 0 else { throw PTYError(description: "cannot listen") }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Waits for a connection and keeps it open.
    func accept() { connection = Glibc.accept(listener, nil, nil) }

    deinit {
        if connection >= 0 { close(connection) }
        close(listener)
    }
}
