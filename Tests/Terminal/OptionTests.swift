import Glibc
import PTYKit
import TestKit
import Testing

/// Options that no other suite is about.
@Suite struct OptionTests {
    @Test func whereToConnect() throws {
        let server = try ServerFixture()
        #expect(try server.run(["-e", "create_db shop; use_db shop; use m; create {_id: 1}"]).exitCode == 0)
        let nexa = Products.executable("nexa")
        for place in [["-d", "shop", "--collection", "m"], ["--database=shop", "--collection=m"]] {
            let outcome = try Program.run(
                nexa, ["-h", "127.0.0.1", "-P", server.port, "-u", "root"] + place + ["--ids", "-e", "query"],
                environment: server.environment)
            #expect(outcome.output == "1\n", "\(outcome.errors)")
        }
        let unknown = try Program.run(
            nexa, ["-h127.0.0.1", "-P\(server.port)", "--username", "eve", "-e", "query"],
            environment: server.environment)
        #expect(unknown.exitCode == 1)
    }

    @Test func thePasswordFromADescriptor() throws {
        let server = try ServerFixture()
        let file = try server.folder.write("secret", "correct-horse\nmore\n")
        let words = (server.arguments + ["-e", "databases", "--ids"]).joined(separator: " ")
        let outcome = try Program.run(
            "/bin/sh", ["-c", "'\(server.nexa)' --password-fd 3 \(words) 3<'\(file)'"], environment: ["HOME": "/"])
        #expect(outcome.output == "default\n", "\(outcome.errors)")
        #expect(try server.run(["--password-fd", "77", "-e", "databases"]).exitCode == 2)
        #expect(try server.run(["--password-fd", "x", "-e", "databases"]).exitCode == 2)
    }

    @Test func howManyDocumentsAQueryShows() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run(["-e", "use m; insert_many [{_id: 1}, {_id: 2}, {_id: 3}]"]).exitCode == 0)
        let two = try fixture.run(["--collection", "m", "--limit", "2", "--ids", "-e", "query --sort _id"])
        #expect(two.output == "1\n2\n")
        #expect(two.errors.contains("Only the first 2 documents are shown"))
        #expect(try fixture.run(["--collection", "m", "--limit", "0", "--ids", "-e", "query"]).lines.count == 3)
    }

    @Test func prettyInAPipe() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(["-q", "--pretty", "-e", "use m; create {_id: 1}; read 1"])
        #expect(outcome.output.hasPrefix("{\n  \"_created_at\": ") && outcome.output.hasSuffix("\n}\n"))
    }

    @Test func shapes() throws {
        let fixture = try ShellFixture()
        let make = "use m; create {_id: 'x', z: 'a long text that does not fit', b: 2}"
        #expect(try fixture.run(["-e", make]).exitCode == 0)
        func run(_ words: String...) throws -> String {
            try fixture.run(["-q", "--collection", "m"] + words).output
        }
        let query = "query --fields z,b"
        #expect(try run("--ndjson", "--keys", "sorted", "-e", query).hasPrefix(#"{"_id":"x","b":2,"z":"#))
        #expect(try run("--ndjson", "--keys", "stored", "-e", query).hasPrefix(#"{"_id":"x","z":"#))
        let vertical = try run("--vertical", "-e", query)
        #expect(vertical.contains("[ 1 ]") && vertical.contains("a long text that does not fit\n"))
        let cut = try run("--table", "--max-width", "20", "-e", query)
        #expect(!cut.isEmpty && cut.split(separator: "\n").filter { $0.hasPrefix("|") }.allSatisfy { $0.count <= 20 })
    }

    @Test func pagers() throws {
        let fixture = try ShellFixture(["NEXA_PAGER": "cat >/dev/null"])
        let documents = (0..<100).map { "{\"_id\":\"d\($0)\"}\n" }.joined()
        #expect(try fixture.run(["-e", "import - m"], input: documents).exitCode == 0)
        let paged = fixture.folder["paged"]
        let command = try fixture.open(["--collection", "m", "--pager", "cat >'\(paged)'"], prompt: "nexa(m)>")
        command.send("query --limit 0\r")
        #expect(command.wait { _ in fixture.folder.read("paged")?.contains("\"d99\"") == true })
        let none = try fixture.open(["--collection", "m", "--no-pager"], prompt: "nexa(m)>")
        none.send("query --limit 0\r")
        #expect(none.wait { $0.screen.everything.contains("\"d99\"") })
    }

    @Test func namesAreAskedForAnew() throws {
        let outcome = try ShellFixture().run(["-e", "\\refresh"])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
    }

    @Test func looks() throws {
        let fixture = try ShellFixture(["CLICOLOR_FORCE": "1"])
        #expect(try fixture.run(["-e", "use m"]).errors.contains("\u{1B}["))
        #expect(try !fixture.run(["--no-color", "-e", "use m"]).errors.contains("\u{1B}["))
        #expect(try !fixture.run(["--color=never", "-e", "use m"]).errors.contains("\u{1B}["))
        // Work of a moment: a bar would be drawn and taken away again.
        let file = try fixture.folder.write("data.ndjson", (0..<60_000).map { "{\"_id\":\($0)}\n" }.joined())
        let session = try fixture.open(["--progress", "none", "--no-color"])
        session.send("import \(file) m\r")
        #expect(session.sees("✓ Imported 60000 document(s)", seconds: 120))
        #expect(!session.wrote("ETA", seconds: 0))
    }

    @Test func confirmationsAreAnsweredBeforehand() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(["--yes", "-e", "create_db shop; drop_db shop; databases", "--ids"])
        #expect(outcome.output == "default\n")
        #expect(outcome.exitCode == 0)
    }
}
