import Glibc
import PTYKit
import TestKit
import Testing

/// A server on a port of 127.0.0.1, whose root has a password, and a home folder for shells that use it.
final class ServerFixture {
    let folder: TemporaryDirectory
    let nexa = Products.executable("nexa")
    private let session: Session
    /// The number of its port.
    private(set) var port = ""
    let password: String

    init(password: String = "correct-horse") throws {
        self.password = password
        folder = try TemporaryDirectory()
        session = try Session(
            Products.executable("nexadb"), ["--data-dir", folder.path + "/data", "--port", "0"],
            environment: ["NEXADB_ROOT_PASSWORD": password], columns: 300)
        try #require(session.wait { $0.screen.text.contains("port=") }, "\(session.screen.text)")
        let word = session.screen.text.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("port=") }
        port = word.map { String($0.dropFirst(5)) } ?? ""
    }

    deinit {
        session.signal(SIGCONT)
        session.signal(SIGTERM)
        _ = session.finish()
    }

    /// The server itself.
    var process: pid_t { session.process }
    var arguments: [String] { ["--host", "127.0.0.1", "--port", port] }
    /// The environment that knows the password.
    var environment: [String: String] { ["HOME": folder.path, "NEXADB_PASSWORD": password] }

    /// Runs the shell to its end with pipes.
    func run(
        _ arguments: [String], input: String? = "", environment: [String: String]? = nil
    ) throws -> Program.Outcome {
        try Program.run(
            nexa, self.arguments + arguments, input: input, environment: environment ?? self.environment)
    }
}
