import Glibc
import PTYKit
import TestKit
import Testing

/// Users, passwords and API keys: secrets come in by the terminal or a private file, and go nowhere else.
@Suite struct UserCommandTests {
    @Test func usersComeChangeAndGo() throws {
        let server = try UserServerFixture()
        let root = "first-password"
        let file = try server.folder.write("secret", "anns-password\n", mode: 0o600)
        let made = try server.run(
            "root", root, "create_user ann --role guest --db shop=write,staging=read --password-file \(file)",
            "create_user bob --db shop=admin --db staging=read --password-file \(file)", "users")
        #expect(made.exitCode == 0, "\(made.errors)")
        #expect(made.errors.hasPrefix("✓ User 'ann' created, role guest\n✓ User 'bob' created, role read\n"))
        #expect(
            made.lines.first?.contains(#""user":"ann","role":"guest","grants":{"shop":"write","staging":"read"}"#)
                == true)
        #expect(try server.run("ann", "anns-password", "whoami").output == "{\"user\":\"ann\",\"role\":\"guest\"}\n")
        #expect(try server.run("ann", "anns-password", "users").exitCode == 3)
        #expect(try server.run("ann", "anns-password", "use_db shop; use m; insert {a: 1}").exitCode == 0)
        #expect(try server.run("ann", "anns-password", "use_db staging; use m; insert {a: 1}").exitCode == 3)

        let changed = try server.run(
            "root", root, "update_user ann --revoke shop --db staging=write",
            "update_user bob --role write --no-grants",
            "users")
        #expect(changed.exitCode == 0, "\(changed.errors)")
        #expect(changed.lines.first?.contains(#""grants":{"staging":"write"}"#) == true)
        #expect(changed.lines[1].hasPrefix(#"{"user":"bob","role":"write","api_keys":0"#))
        #expect(try server.run("root", root, "update_user ann").exitCode == 3)
        #expect(
            try server.run("root", root, "update_user ann --role boss").errors.contains("admin, write, read, guest"))
        #expect(try server.run("root", root, "drop_user ann", "no").errors.contains("✗ Drop cancelled"))
        #expect(try server.run("root", root, "drop_user ann", "yes").errors.contains("✓ User 'ann' dropped"))
        #expect(try server.run("ann", "anns-password", "whoami").exitCode == 1)
    }

    @Test func passwordsAreTypedTwiceAndNeverShown() throws {
        let server = try UserServerFixture()
        let session = try server.open("root", "first-password")
        session.send("create_user ann --role write\r")
        #expect(session.prompts("New password for ann:"), "\(session.screen.text)")
        #expect(session.wait { !$0.modes.echoes })
        session.send("canary-one\r")
        #expect(session.prompts("Again:"))
        session.send("canary-two\r")
        #expect(session.sees("✗ Error: the passwords differ; nothing was changed"))
        #expect(session.prompts("nexa>"))
        session.send("create_user ann --role write\r")
        #expect(session.wait { $0.screen.text.components(of: "New password for ann:") == 2 && !$0.modes.echoes })
        session.send("canary-three\r")
        #expect(session.wait { $0.screen.text.components(of: "Again:") == 2 })
        session.send("canary-three\r")
        #expect(session.sees("✓ User 'ann' created, role write"), "\(session.screen.text)")
        #expect(session.prompts("nexa>"))
        #expect(try server.run("ann", "canary-three", "whoami").exitCode == 0)

        // Ctrl-C leaves everything as it was, and the prompt works as before.
        session.send("passwd ann\r")
        #expect(session.wait { $0.screen.text.components(of: "New password for ann:") == 3 && !$0.modes.echoes })
        session.send("canary-four\u{3}")
        #expect(session.sees("⚠ Cancelled"))
        #expect(session.prompts("nexa>"))
        session.send("whoami\r")
        #expect(session.sees("root (role admin)"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        #expect(session.modes.echoes)
        #expect(!session.wrote("canary", seconds: 0))
        let history = server.folder.read(".nexadb_history") ?? ""
        #expect(history.contains("whoami"))
        #expect(!history.contains("create_user"))
        #expect(!history.contains("canary"))
    }

    @Test func theOwnPasswordCanBeChangedAndWorkGoesOn() throws {
        let server = try UserServerFixture()
        let session = try server.open("root", "first-password")
        session.send("passwd\r")
        #expect(session.prompts("New password for root:"), "\(session.screen.text)")
        #expect(session.wait { !$0.modes.echoes })
        session.send("second-password\r")
        #expect(session.prompts("Again:"))
        session.send("second-password\r")
        #expect(session.sees("✓ Password of 'root' changed"))
        session.send("whoami\r")
        #expect(session.sees("root (role admin)"), "\(session.screen.text)")
        session.send("use m\rbegin\rinsert {a: 1}\rcommit\r")
        #expect(session.sees("✓ Transaction committed"), "\(session.screen.text)")
        #expect(try server.run("root", "first-password", "whoami").exitCode == 1)
        #expect(try server.run("root", "second-password", "use m; count").output == "1\n")
    }

    @Test func withoutATerminalAFileIsAskedFor() throws {
        let fixture = try ShellFixture()
        let refused = try fixture.run(["-e", "create_user ann"])
        #expect(refused.exitCode == 2)
        #expect(refused.errors.contains("use --password-file FILE"))
        let open = try fixture.folder.write("open", "secret\n", mode: 0o644)
        let readable = try fixture.run(["-e", "create_user ann --password-file \(open)"])
        #expect(readable.exitCode == 2)
        #expect(readable.errors.contains("chmod 600"))
        let empty = try fixture.folder.write("empty", "\n", mode: 0o600)
        #expect(try fixture.run(["-e", "create_user ann --password-file \(empty)"]).exitCode == 5)
        #expect(try fixture.run(["--ids", "-e", "users"]).output == "root\n")
        #expect(try fixture.run(["-e", "create_user"]).errors.hasPrefix("✗ User name required\nUsage: create_user "))
        #expect(try fixture.run(["-e", "create_user a --db shop"]).errors.contains("shop=write"))
    }

    @Test func aPIKeysLogInUntilTheyAreRevoked() throws {
        let server = try UserServerFixture()
        let file = try server.folder.write("secret", "anns-password\n", mode: 0o600)
        let made = try server.run(
            "root", "first-password", "create_user ann --password-file \(file)",
            "create_api_key ann --label 'nightly run'")
        #expect(made.errors.contains("✓ API key created; it is shown only now:\n"))
        let key = try #require(made.output.split(separator: "\"").first { $0.hasPrefix("nxdb_") }).description
        #expect(try server.run("ann", key, "whoami").output == "{\"user\":\"ann\",\"role\":\"read\"}\n")
        let list = try server.run("ann", key, "api_keys")
        #expect(list.output.hasPrefix("{\"prefix\":\"\(key.prefix(15))\",\"label\":\"nightly run\","))
        #expect(try server.run("root", "first-password", "revoke_api_key nope ann").errors.contains("'api_keys' lists"))
        #expect(try server.run("root", "first-password", "revoke_api_key \(key.prefix(15)) ann").exitCode == 0)
        #expect(try server.run("ann", key, "whoami").exitCode == 1)
        #expect(try server.run("root", "first-password", "api_keys ann").output.isEmpty)
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
