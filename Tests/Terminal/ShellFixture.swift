import PTYKit
import TestKit
import Testing

/// A home folder, a database folder, and `nexa` on both.
final class ShellFixture {
    let folder: TemporaryDirectory
    let nexa = Products.executable("nexa")
    var database: String { folder.path + "/data" }
    var environment: [String: String]

    init(_ environment: [String: String] = [:]) throws {
        folder = try TemporaryDirectory()
        self.environment = ["HOME": folder.path, "NEXA_PAGER": ""]
        self.environment.merge(environment) { $1 }
    }

    /// Opens the shell on a terminal and waits for its prompt.
    func open(
        _ arguments: [String] = [], columns: Int = 80, rows: Int = 24, prompt: String = "nexa>"
    ) throws -> Session {
        let session = try Session(
            nexa, ["--local", database] + arguments, environment: environment, columns: columns, rows: rows)
        session.companion = self
        try #require(session.prompts(prompt), "\(session.screen.text)")
        return session
    }

    /// Runs the shell to its end with pipes.
    func run(_ arguments: [String], input: String? = "", closesOutputAfter limit: Int = .max) throws -> Program.Outcome
    {
        try Program.run(
            nexa, ["--local", database] + arguments, input: input, environment: environment, closesOutputAfter: limit)
    }

    /// The lines of a classic script behind the banner and the greeting.
    func classic(_ input: String) throws -> [String] {
        let outcome = try run([], input: input)
        let lines = outcome.lines
        guard let greeting = lines.firstIndex(where: { $0.hasPrefix("✓ Connected") }) else { return lines }
        return Array(lines[(greeting + 2)...])
    }
}
