import Glibc
import PTYKit
import TestKit
import Testing

/// The manual pages and the completions of both programs, read by what reads them on a user's machine.
@Suite struct ManualTests {
    private static let programs = ["nexa", "nexadb"]

    private static func run(_ program: String, _ arguments: [String]) throws -> String {
        let outcome = try Program.run(Products.executable(program), arguments)
        try #require(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(outcome.errors.isEmpty)
        return outcome.output
    }

    /// What the program is called on this machine, or `nil`, with a word about it.
    private static func tool(_ name: String) -> String? {
        for folder in ["/usr/bin", "/bin", "/usr/local/bin"] where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        print("\(name) is not installed: what needs it is skipped")
        return nil
    }

    private static func file(_ text: String, _ name: String) throws -> (folder: TemporaryDirectory, path: String) {
        let folder = try TemporaryDirectory()
        return (folder, try folder.write(name, text))
    }

    /// The options of `--help`: words that begin with hyphens at the beginning of its lines.
    private static func options(of program: String) throws -> Set<String> {
        var found: Set<String> = []
        for line in try run(program, ["--help"]).split(separator: "\n") where line.hasPrefix("  -") {
            for word in line.split(separator: " ").prefix(3) {
                let name = word.hasSuffix(",") ? word.dropLast() : word
                guard name.hasPrefix("-") else { break }
                found.insert(String(name))
                if !word.hasSuffix(",") { break }
            }
        }
        return found
    }

    // MARK: Manual pages

    @Test(arguments: programs) func thePageHasNoFaultOfRoff(_ program: String) throws {
        let page = try Self.run(program, ["--man"])
        #expect(page.utf8.allSatisfy { $0 < 128 })
        #expect(page.hasPrefix(".TH \(program.uppercased()) 1 "))
        guard let groff = Self.tool("groff") else { return }
        let (folder, path) = try Self.file(page, "page.1")
        let outcome = try Program.run(
            groff, ["-man", "-Tutf8", "-ww", "-P-cbou", path], environment: ["GROFF_NO_SGR": "1"])
        withExtendedLifetime(folder) {}
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        for title in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"] {
            #expect(outcome.output.contains("\n\(title)\n"), "\(title)")
        }
    }

    @Test(arguments: programs) func thePageHasNoFaultOfMandoc(_ program: String) throws {
        guard let mandoc = Self.tool("mandoc") else { return }
        let (folder, path) = try Self.file(try Self.run(program, ["--man"]), "page.1")
        let outcome = try Program.run(mandoc, ["-T", "lint", "-W", "warning", path])
        withExtendedLifetime(folder) {}
        #expect(outcome.output + outcome.errors == "")
    }

    /// The words of the page as a reader sees them, without the marks of bold.
    private static func shown(_ program: String) throws -> String? {
        guard let groff = tool("groff") else { return nil }
        let (folder, path) = try file(try run(program, ["--man"]), "page.1")
        let outcome = try Program.run(
            groff, ["-man", "-Tutf8", "-P-cbou", "-rLL=200n", path], environment: ["GROFF_NO_SGR": "1"])
        withExtendedLifetime(folder) {}
        return outcome.output
    }

    @Test(arguments: programs) func thePageKnowsEveryOption(_ program: String) throws {
        guard let page = try Self.shown(program) else { return }
        let options = try Self.options(of: program)
        #expect(options.count > 20)
        for option in options { #expect(page.contains(option), "\(option)") }
    }

    @Test func thePageKnowsEveryCommandOfTheShell() throws {
        guard let page = try Self.shown("nexa") else { return }
        let help = try Program.run(Products.executable("nexa"), ["--help"]).output
        #expect(help.contains("--man"))
        for command in ["use <collection>", "update <doc_id> <json>", "insert_many <json array>"] {
            #expect(page.contains(command), "\(command)")
        }
    }

    @Test(arguments: programs) func manShowsThePage(_ program: String) throws {
        guard let man = Self.tool("man"), Self.tool("groff") != nil else { return }
        let (folder, path) = try Self.file(try Self.run(program, ["--man"]), "\(program).1")
        let outcome = try Program.run(
            man, ["--warnings=w", "-l", path], environment: ["MANWIDTH": "100", "MANPAGER": "cat", "PAGER": "cat"])
        withExtendedLifetime(folder) {}
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(outcome.output.contains(program))
    }

    // MARK: Completions

    @Test(arguments: programs, ["bash", "zsh", "fish"]) func theShellUnderstandsItsScript(
        _ program: String, _ shell: String
    ) throws {
        let script = try Self.run(program, ["--completions", shell])
        guard let path = Self.tool(shell) else { return }
        let (folder, file) = try Self.file(script, "completions")
        let outcome = try Program.run(path, ["-n", file])
        withExtendedLifetime(folder) {}
        #expect(outcome.exitCode == 0)
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
    }

    /// What bash offers for the last of some words, which may be empty.
    private static func offers(_ words: [String], in directory: String = "/") throws -> [String] {
        let script = """
            cd '\(directory)'
            source /dev/stdin <<'END'
            \(try run(words[0], ["--completions", "bash"]))
            END
            COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " "))) COMP_CWORD=\(words.count - 1)
            _\(words[0])
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let outcome = try Program.run("/bin/bash", ["--norc", "--noprofile", "-c", script])
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        return outcome.lines.filter { !$0.isEmpty }
    }

    @Test func bashCompletesOptionsValuesAndCommands() throws {
        guard Self.tool("bash") != nil else { return }
        #expect(try Self.offers(["nexa", "--password-s"]) == ["--password-stdin"])
        #expect(try Self.offers(["nexa", "--color", "a"]) == ["auto", "always"])
        #expect(try Self.offers(["nexa", "--color", "=", "n"]) == ["never"])
        #expect(try Self.offers(["nexa", "--color", "="]) == ["auto", "always", "never"])
        #expect(try Self.offers(["nexa", "--format", "ndj"]) == ["ndjson"])
        #expect(try Self.offers(["nexa", "-e", "vector_s"]) == ["vector_search"])
        #expect(try Self.offers(["nexadb", "st"]) == ["start", "stop", "status"])
        #expect(try Self.offers(["nexadb", "start", "--dura"]) == ["--durability"])
        #expect(try Self.offers(["nexadb", "start", "--durability", ""]) == ["sync", "os"])
        #expect(try Self.offers(["nexadb", "--completions", "z"]) == ["zsh"])
        #expect(try Self.offers(["nexadb", "--port", ""]).isEmpty)
        for program in Self.programs {
            #expect(Set(try Self.offers([program, "-"])).isSuperset(of: try Self.options(of: program)))
        }
    }

    @Test func bashCompletesFilesAndFolders() throws {
        guard Self.tool("bash") != nil else { return }
        let folder = try TemporaryDirectory()
        try folder.write("films of 1950.ndjson", "")
        mkdir(folder["films"], 0o700)
        #expect(
            Set(try Self.offers(["nexa", "-f", "fi"], in: folder.path)) == ["films", "films of 1950.ndjson"])
        #expect(try Self.offers(["nexa", "--local", "fi"], in: folder.path) == ["films"])
        #expect(try Self.offers(["nexadb", "backup", "fi"], in: folder.path) == ["films"])
        #expect(try Self.offers(["nexadb", "--data-dir", "=", "f"], in: folder.path) == ["films"])
        #expect(try Self.offers(["nexadb", "status", ""], in: folder.path).isEmpty)
    }

    /// What fish offers for a command line.
    @Test func fishCompletes() throws {
        guard let fish = Self.tool("fish") else { return }
        for (line, expected) in [
            ("nexadb st", ["start", "status", "stop"]), ("nexadb --durability ", ["os", "sync"]),
            ("nexa --color a", ["always", "auto"]), ("nexa --password-st", ["--password-stdin"])
        ] {
            let (folder, path) = try Self.file(
                try Self.run(String(line.prefix { $0 != " " }), ["--completions", "fish"]), "completions.fish")
            let outcome = try Program.run(
                fish, ["--no-config", "-c", "source \(path); complete -C '\(line)'"],
                environment: ["HOME": folder.path])
            let words = outcome.lines.map { String($0.prefix { $0 != "\t" }) }.sorted()
            #expect(words == expected, "\(line): \(outcome.errors)")
        }
    }

    /// zsh completes on a terminal only.
    @Test func zshCompletes() throws {
        guard let zsh = Self.tool("zsh") else { return }
        let folder = try TemporaryDirectory()
        for program in Self.programs {
            try folder.write("_\(program)", try Self.run(program, ["--completions", "zsh"]))
        }
        try folder.write(
            ".zshrc", "fpath=('\(folder.path)' $fpath)\nautoload -Uz compinit\ncompinit -u -D\nPS1='zsh> '\n")
        let session = try Session(
            zsh, ["-d", "-i"], environment: ["HOME": folder.path, "ZDOTDIR": folder.path], columns: 120)
        try #require(session.prompts("zsh>"), "\(session.screen.text)")
        session.send("nexadb stat\t")
        #expect(session.prompts("zsh> nexadb status"), "\(session.screen.text)")
        session.send("\u{15}nexadb --durability o\t")
        #expect(session.prompts("zsh> nexadb --durability os"), "\(session.screen.text)")
        session.send("\u{15}nexa --password-st\t")
        #expect(session.prompts("zsh> nexa --password-stdin"), "\(session.screen.text)")
        session.send("\u{15}exit\r")
        _ = session.finish()
    }

    @Test(arguments: programs) func anUnknownShellIsRefused(_ program: String) throws {
        let outcome = try Program.run(Products.executable(program), ["--completions", "tcsh"])
        #expect(outcome.exitCode == 2)
        #expect(outcome.errors.contains("tcsh"))
        #expect(outcome.output.isEmpty)
    }
}
