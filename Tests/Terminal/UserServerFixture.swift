import PTYKit
import TestKit
import Testing

/// A server with a port, whose root has the password `first-password`.
final class UserServerFixture {
    let folder: TemporaryDirectory
    private let session: Session
    private(set) var port = ""

    /// - Parameter options: of the server, made with the path of the folder.
    init(_ options: (_ folder: String) -> [String] = { _ in [] }) throws {
        folder = try TemporaryDirectory()
        session = try Session(
            Products.executable("nexadb"),
            ["--data-dir", folder.path + "/data", "--port", "0"] + options(folder.path),
            environment: ["NEXADB_ROOT_PASSWORD": "first-password"], columns: 200)
        try #require(session.wait { $0.screen.text.contains("port=") }, "\(session.screen.text)")
        let word = session.screen.text.split { $0 == " " || $0 == "\n" }.first { $0.hasPrefix("port=") }
        port = word.map { String($0.dropFirst(5)) } ?? ""
    }

    /// Runs commands with pipes.
    func run(_ user: String, _ password: String, _ commands: String...) throws -> Program.Outcome {
        try Program.run(
            Products.executable("nexa"),
            ["--host", "127.0.0.1", "--port", port, "-u", user] + commands.flatMap { ["-e", $0] },
            environment: ["NEXADB_PASSWORD": password])
    }

    /// Opens the shell on a terminal and waits for its prompt.
    func open(_ user: String, _ password: String) throws -> Session {
        let session = try Session(
            Products.executable("nexa"), ["--host", "127.0.0.1", "--port", port, "-u", user],
            environment: ["NEXADB_PASSWORD": password, "HOME": folder.path], columns: 160)
        session.companion = self
        try #require(session.prompts("nexa>"), "\(session.screen.text)")
        return session
    }
}
