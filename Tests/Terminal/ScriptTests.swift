import Glibc
import PTYKit
import TestKit
import Testing

/// Variables, files of commands, conditions and what surrounds them, through the real program.
@Suite struct ScriptTests {
    @Test func variablesInCommands() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(
            ["--set", "y=1999", "--set", "c=movies", "-q"],
            input: """
                use $c
                create {_id: 'm1', year: $y}
                \\set title The Matrix
                update m1 {title: $title, tags: $tags}
                \\set tags ["sf", 1]
                update m1 {title: $title, tags: $tags}
                query {title: $title} --fields title,tags,year
                \\set
                \\unset tags
                \\unset tgas
                \\echo -n $title
                \\warn "$title" is $title
                """)
        #expect(outcome.exitCode == 3)
        #expect(
            outcome.lines.suffix(5)
                == [
                    #"{"_id":"m1","title":"The Matrix","tags":["sf",1],"year":1999}"#,
                    #"{"name":"c","value":"movies"}"#,
                    #"{"name":"tags","value":"[\"sf\", 1]"}"#, #"{"name":"title","value":"The Matrix"}"#,
                    #"{"name":"y","value":"1999"}"#
                ].suffix(5) || outcome.output.contains(#"{"name":"y","value":"1999"}"# + "\nThe Matrix"))
        #expect(outcome.output.hasSuffix("The Matrix"))
        #expect(
            outcome.errors.contains(
                "✗ Error: variable tags is not set at line 1 column 33\n  update m1 {title: $title, tags: $tags}\n"
                    + String(repeating: " ", count: 34) + "^\n"))
        #expect(outcome.errors.contains("✗ Error: variable tgas is not set at line 1 column 8\n"))
        #expect(outcome.errors.hasSuffix("$title is The Matrix\n"))
    }

    @Test func filesThatIncludeFiles() throws {
        let fixture = try ShellFixture()
        let folder = fixture.folder.path + "/scripts"
        mkdir(folder, 0o700)
        _ = try fixture.folder.write("scripts/inner.nexa", "\\echo inner\n  count {a:: 1}\n\\echo behind\n")
        let outer = try fixture.folder.write("scripts/outer.nexa", "use m\n\\ir inner.nexa\n\\echo outer\n")
        let going = try fixture.run([], input: "\\i \(outer)\n\\i ~/scripts/inner.nexa\n\\echo last\n")
        #expect(going.exitCode == 3)
        let lines = going.lines.filter { !$0.hasPrefix("║") && !$0.isEmpty }
        let inner = "\(folder)/inner.nexa"
        #expect(
            lines.drop { $0 != "inner" }.dropLast() == [
                "inner", "✗ \(inner):2:12: expected a value", "behind", "outer", "inner",
                "✗ \(inner):2:12: expected a value", "behind", "last"
            ], "\(lines)")
        // The first error ends all files.
        let stopped = try fixture.run(["-e", "\\i \(outer)", "-e", "\\echo last"])
        #expect(stopped.output == "inner\n")
        #expect(stopped.exitCode == 3)
        // \errexit decides from where it stands.
        let off = try fixture.run(["-e", "\\errexit off", "-e", "\\i \(outer)", "-e", "\\echo last"])
        #expect(off.output == "inner\nbehind\nouter\nlast\n")
        let on = try fixture.run([], input: "bogus\n\\errexit on\n\\echo a\nbogus\n\\echo b\n")
        #expect(on.output.contains("\na\n") && !on.output.contains("\nb\n"))
        #expect(try fixture.run(["-e", "\\errexit perhaps"]).exitCode == 3)
    }

    @Test func aFileThatIncludesItselfEnds() throws {
        let fixture = try ShellFixture()
        let path = try fixture.folder.write("loop.nexa", "\\echo again\n\\i \(fixture.folder.path)/loop.nexa\n")
        let outcome = try fixture.run(["-f", path])
        #expect(outcome.exitCode == 3)
        #expect(outcome.lines.count == 33)
        #expect(outcome.errors.contains("✗ \(path):2: files are included more than 32 deep"))
        #expect(try fixture.run(["-e", "\\i /missing/file"]).exitCode == 5)
        #expect(try fixture.run(["-e", "\\i"]).errors == "✗ File required\nUsage: \\i <file>\n")
    }

    @Test func conditionsInScripts() throws {
        let outcome = try ShellFixture().run(
            ["--set", "stage=live", "-q"],
            input: """
                \\if $stage = test
                bogus {"
                \\if $unset
                \\echo 1
                \\endif
                \\elif defined stage
                \\echo 2
                \\else
                \\echo 3
                \\endif
                \\if maybe
                \\echo 4
                \\else
                \\echo 5
                \\endif
                \\endif
                \\if true
                \\echo 6
                """)
        #expect(outcome.lines == ["2", "5", "6"])
        #expect(outcome.exitCode == 3)
        #expect(outcome.errors.contains("✗ Error: a condition is true or false"))
        #expect(outcome.errors.contains("✗ Error: \\endif without \\if\n"))
        #expect(outcome.errors.hasSuffix("✗ Error: the end is reached with 1 \\if without \\endif\n"))
    }

    @Test func theSystemsShell() throws {
        let fixture = try ShellFixture()
        let outcome = try fixture.run(
            ["-q"],
            input: """
                \\! echo "it's; $HOME" && cat && exit 3
                \\echo $SHELL_EXIT_CODE
                \\cd ~
                \\!pwd
                \\cd /missing/folder
                \\echo still
                \\!
                """)
        #expect(outcome.lines == ["it's; \(fixture.folder.path)", "3", fixture.folder.path, "still"])
        #expect(outcome.errors.contains("✗ Error: cannot go to /missing/folder"))
        #expect(outcome.exitCode == 5, "the first failure decides")
        // The folder of --local stays what it was, also when its server has to be started again.
        let relative = try Program.run(
            "/bin/sh",
            ["-c", "cd '\(fixture.folder.path)' && '\(fixture.nexa)' --local rel -e '\\cd /' -e '\\reconnect' -e ping"],
            environment: fixture.environment)
        #expect(relative.exitCode == 0, "\(relative.errors)")
        #expect(Files.isFolder(fixture.folder.path + "/rel"))
        #expect(!Files.isFolder("/rel"))
        // No secret reaches it.
        let server = try ServerFixture()
        #expect(try server.run(["-e", "\\! env"]).output.contains("correct-horse") == false)
    }

    @Test func aCommandIsRepeated() throws {
        let fixture = try ShellFixture()
        let counted = try fixture.run(["-e", "use m", "-e", "count", "-e", "\\watch 0.01 c=3"])
        #expect(counted.output == "0\n0\n0\n0\n")
        #expect(counted.exitCode == 0)
        let fewer = try fixture.run(["-e", "use m", "-e", "count", "-e", "\\watch 0 m=1"])
        #expect(fewer.output == "0\n0\n")
        let none = try fixture.run(["-e", "\\watch"])
        #expect(none.exitCode == 3)
        let failing = try fixture.run(["-e", "use m; count; query {a: {$bogus: 1}}; \\watch"])
        #expect(failing.exitCode == 3)

        let session = try fixture.open(["--collection", "m"], prompt: "nexa(m)>")
        session.send("count\r")
        #expect(session.sees("✓ Document count: 0"))
        session.send("\\watch 0.01\r")
        #expect(session.wait { $0.screen.text.split(separator: "\n").filter { $0.hasPrefix("✓ Document") }.count > 3 })
        session.send("\u{3}")
        #expect(session.prompts("nexa(m)>"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        // In a script Ctrl-C ends everything.
        let script = try Session(
            fixture.nexa, ["--local", fixture.database, "-e", "ping", "-e", "\\watch 60"],
            environment: fixture.environment)
        #expect(script.sees("Pong"))
        script.signal(SIGINT)
        #expect(script.finish() == 130)
    }

    @Test func commandsAreShownBeforeTheyRun() throws {
        let outcome = try ShellFixture().run(["--echo", "-q"], input: "use m ; count\n\\if false\nbogus\n\\endif\n")
        #expect(outcome.errors == "use m\ncount\n\\if false\n\\endif\n")
        #expect(outcome.output == "0\n")
    }

    @Test func readOnlyRefusesWhatWrites() throws {
        let fixture = try ShellFixture()
        #expect(try fixture.run(["-e", "use m; create {_id: 1}"]).exitCode == 0)
        for command in [
            "create {a: 1}", "insert_many [{}]", "update 1 {a: 1}", "delete 1", "create_db x", "drop_db x", "drop m",
            "create_collection x", "import /dev/null m"
        ] {
            let outcome = try fixture.run(["--read-only", "--collection", "m", "-e", command])
            #expect(outcome.exitCode == 3, "\(command)")
            #expect(outcome.errors.contains("writes, and this shell was started with --read-only"), "\(command)")
        }
        #expect(try fixture.run(["--read-only", "--collection", "m", "-e", "count", "-e", "read 1"]).exitCode == 0)
    }

    @Test func theStartUpFile() throws {
        let fixture = try ShellFixture()
        let path = try fixture.folder.write(
            ".nexarc", "# mine\n\\set PROMPT1 '%/:%c> '\nbogus\nuse movies\n\\if true\n")
        let session = try fixture.open(prompt: "default:movies>")
        #expect(session.sees("✗ \(path):3: Unknown command: bogus"))
        #expect(session.sees("1 \\if without \\endif"))
        session.send("\\set PROMPT1 \"%n >> \"\r")
        #expect(session.prompts("root >>"))
        session.send("\\unset PROMPT1\r")
        #expect(session.prompts("nexa(movies)>"))
        session.send("exit\r")
        #expect(session.finish() == 0)
        // Not for scripts, not with -X, not when others can write to it.
        #expect(try fixture.run(["-e", "count"]).exitCode == 3)
        _ = try fixture.open(["-X"])
        chmod(path, 0o622)
        let refused = try fixture.open()
        #expect(refused.sees("run: chmod go-w"))
        // --rc is for scripts too; variables of the command line are there and win.
        let other = try fixture.folder.write("rc", "\\set b from-rc\n\\echo $a\nuse movies\n")
        let named = try fixture.run(
            ["--rc", other, "--set", "a=1", "--set", "b=mine", "-e", "\\echo $b", "-e", "count"])
        #expect(named.output == "1\nmine\n0\n")
        #expect(named.exitCode == 0)
        let missing = try fixture.run(["--rc", "/missing/rc", "-e", "\\echo on"])
        #expect(missing.output == "on\n")
        #expect(missing.exitCode == 5)
    }

    @Test func variablesOfTheHistory() throws {
        let fixture = try ShellFixture()
        let session = try fixture.open()
        session.send("\\set HISTREDACT mask\rcreate {token: 'canary'}\r\\set HISTREDACT keep\rcreate {token: 'kept'}\r")
        #expect(session.sees("No collection selected"))
        session.send("\\set HISTFILE ~/other-:DB\r")
        session.send("ping\rexit\r")
        #expect(session.finish() == 0)
        let first = try #require(fixture.folder.read(".nexadb_history"))
        #expect(first.contains("create {token: '***'}\n") && first.contains("create {token: 'kept'}\n"))
        #expect(!first.contains("canary") && !first.contains("ping"))
        #expect(fixture.folder.read("other-default") == "#V2\nping\nexit\n")
    }

    @Test func leavingAConditionAtThePrompt() throws {
        let session = try ShellFixture().open()
        session.send("\\if false\rping\r\u{3}")
        #expect(session.sees("Left the \\if"))
        #expect(!session.screen.text.contains("Pong"))
        session.send("ping\r")
        #expect(session.sees("Pong"))
        // An error in a file never sends a person away, also with \errexit on.
        session.send("\\errexit on\r\\i /missing/file\r")
        #expect(session.sees("cannot read /missing/file"))
        session.send("\\echo here\r")
        #expect(session.sees("\nhere"))
    }
}

/// `\connect`, and passwords from files.
@Suite struct ReconnectTests {
    @Test func anotherServer() throws {
        let first = try ServerFixture()
        let second = try ServerFixture(password: "battery")
        #expect(try second.run(["-e", "create_db shop"]).exitCode == 0)
        let outcome = try first.run(
            ["--keep-going"],
            input: """
                databases
                \\connect nexadb://root:battery@127.0.0.1:\(second.port)/shop
                databases
                \\reconnect
                use m
                \\connect nexadb://root:wrong@127.0.0.1:\(first.port)
                \\connect http://x
                databases
                """)
        let lines = outcome.lines.filter { $0.contains("[") || $0.contains("Connected") || $0.contains("✗") }
        #expect(
            lines.map { $0.hasPrefix("✓ Connected to NexaDB v") ? "connected" : $0.hasPrefix("✗") ? "✗" : $0 } == [
                "connected", "* [1] default", "connected", "  [1] default", "* [2] shop", "connected", "✗", "✗",
                "  [1] default", "* [2] shop"
            ], "\(lines)")
        #expect(outcome.exitCode == 1)
        #expect(!outcome.output.contains("battery"))
    }

    @Test func theTableOfPasswords() throws {
        let server = try ServerFixture()
        let home = try TemporaryDirectory()
        let lines = "other:*:*:root:no\n127.0.0.1:\(server.port):default:root:correct-horse\n"
        let path = try home.write(".nexapass", lines)
        #expect(try server.run(["-e", "databases"], environment: ["HOME": home.path]).exitCode == 0)
        // The environment counts more.
        let wrong = ["HOME": home.path, "NEXADB_PASSWORD": "wrong"]
        #expect(try server.run(["-e", "databases"], environment: wrong).exitCode == 1)
        // So does a file that is named, which may be such a table too.
        let other = try home.write("table", "*:*:*:ann:no\n" + lines)
        #expect(try server.run(["--password-file", other, "-e", "databases"], environment: wrong).exitCode == 0)
        #expect(
            try server.run(["-e", "databases"], environment: ["NEXA_PASSWORD_FILE": other, "HOME": "/"]).exitCode == 0)
        let none = try server.run(["-u", "eve", "--password-file", other, "-e", "databases"], environment: wrong)
        #expect(none.exitCode == 2 && none.errors.contains("holds no password for eve"))
        chmod(path, 0o640)
        let refused = try server.run(["-e", "databases"], environment: ["HOME": home.path])
        #expect(refused.exitCode == 2 && refused.errors.contains("chmod 600"))
    }
}
