import Glibc
import PTYKit
import TestKit
import Testing

/// A password is nowhere but where it was given.
@Suite struct SecretTests {
    private static let canary = "canary-5f1e7a-password"

    /// The files below a folder that hold the password.
    private func findings(in folder: String) throws -> [String] {
        let outcome = try Program.run("/bin/sh", ["-c", "grep -rlaF -e '\(Self.canary)' '\(folder)'"])
        return outcome.lines
    }

    @Test(arguments: ["environment", "file", "prompt", "argument"])
    func aPasswordShowsNowhere(_ way: String) throws {
        let server = try ServerFixture(password: Self.canary)
        let home = try TemporaryDirectory()
        var environment = ["HOME": home.path, "NEXA_PAGER": ""]
        var arguments = server.arguments + ["-v"]
        switch way {
        case "environment": environment["NEXADB_PASSWORD"] = Self.canary
        case "file":
            // Not below the home folder, which is searched.
            arguments += ["--password-file", try server.folder.write("secret", Self.canary + "\n", mode: 0o600)]
        case "argument": arguments += ["-p", Self.canary]
        default: arguments += ["-p"]
        }
        let session = try Session(server.nexa, arguments, environment: environment, columns: 200, rows: 50)
        session.companion = server
        if way == "prompt" {
            #expect(session.prompts("Password:"))
            #expect(session.wait { !$0.modes.echoes })
            session.send(Self.canary + "\r")
        }
        try #require(session.prompts("nexa>"), "\(session.screen.text)")
        session.send("use films\rcreate {_id: 1}\rcount\r")
        #expect(session.sees("Document count: 1"))
        // What children inherit, and what is in the open files of the shell.
        session.send("\\! env > '\(home["environment"])'; tr '\\0' ' ' < /proc/$PPID/cmdline > '\(home["command"])'\r")
        #expect(session.wait { _ in home.read("command")?.isEmpty == false })
        #expect(session.wait { $0.screen.cursorLine == "nexa(films)>" })
        // The words of a command are in the history, those with a secret are not.
        session.send("create {password: '\(Self.canary)'}\r")
        #expect(session.wait { $0.screen.cursorLine == "nexa(films)>" })
        session.send("\\s\r")
        #expect(session.sees("use films"))
        let shown = String(decoding: session.log, as: UTF8.self).components(of: Self.canary)
        // Typed at the prompt it shows, where it is a field and no password, and in the document that was stored.
        #expect(shown <= 3)
        #expect(try findings(in: home.path) == [])
        let kept = ProcessMemory.places(of: Self.canary, in: session.process)
        #expect(kept.filter { $0 == "cmdline" || $0 == "environ" } == [])
        session.send("exit\r")
        #expect(session.finish() == 0)
    }

    /// The client keeps the password to log in again: no core may hand it on.
    @Test func aShellThatKnowsAPasswordLeavesNoCore() throws {
        let server = try ServerFixture(password: Self.canary)
        let home = try TemporaryDirectory()
        func crash(_ arguments: [String], _ environment: [String: String]) throws -> String {
            let words = (["$NEXA"] + arguments).map { "\"\($0)\"" }.joined(separator: " ")
            let session = try Session(
                "/bin/bash", ["-c", "cd; ulimit -c unlimited; \(words); echo ended with $?"],
                environment: ["HOME": home.path, "NEXA": server.nexa].merging(environment) { $1 }, columns: 200)
            #expect(session.prompts("nexa>"), "\(session.screen.text)")
            kill(try #require(SignalTests.child(of: session.process)), SIGSEGV)
            #expect(session.wrote("ended with 139"), "\(session.screen.text)")
            return session.screen.text
        }
        let withPassword = try crash(server.arguments, ["NEXADB_PASSWORD": Self.canary])
        #expect(!withPassword.contains("core dumped"))
        #expect(try findings(in: home.path) == [])
        // Where a kernel writes cores, this shows that it does.
        print(
            "without a password: \(try crash(["--local", home["data"]], [:]).contains("core dumped") ? "a" : "no") core"
        )
    }
}

extension String {
    /// How often a text stands in it.
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let place = rest.firstRange(of: text) {
            count += 1
            rest = rest[place.upperBound...]
        }
        return count
    }
}
