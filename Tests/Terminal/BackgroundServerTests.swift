import Glibc
import PTYKit
import TestKit
import Testing

/// `nexadb start`, `stop`, `restart` and `status`, as a person at a terminal and a script use them.
@Suite struct BackgroundServerTests {
    /// A data directory with a server that is stopped when the test ends, however it ends.
    final class Background {
        let folder: TemporaryDirectory
        let nexadb = Products.executable("nexadb")
        var data: String { folder["data"] }

        init() throws { folder = try TemporaryDirectory() }

        deinit {
            guard let holder, holder > 1, Self.holds(holder, data) else { return }
            kill(holder, SIGKILL)
        }

        func run(
            _ command: String, _ options: [String] = [], _ environment: [String: String] = [:]
        ) throws -> Program.Outcome {
            try Program.run(
                nexadb, [command, "--data-dir", data] + options, input: nil,
                environment: ["HOME": folder.path, "NEXADB_ROOT_PASSWORD": "correct-horse"].merging(environment) { $1 })
        }

        /// Starts on a port that the system chooses; the result is the port.
        func start(_ options: [String] = []) throws -> UInt16 {
            let outcome = try run("start", ["--port", "0"] + options)
            try #require(outcome.exitCode == 0, "\(outcome.errors)")
            return try #require(port(in: outcome.output), "\(outcome.output)")
        }

        func port(in text: String) -> UInt16? {
            guard let start = text.firstRange(of: "127.0.0.1:")?.upperBound else { return nil }
            return UInt16(text[start...].prefix { $0.isNumber })
        }

        /// The process that the lock names.
        var holder: pid_t? {
            folder.read("data/LOCK").flatMap { pid_t($0.prefix { $0.isNumber }) }
        }

        var pidFile: pid_t? { folder.read("data/nexadb.pid").flatMap { pid_t($0.prefix { $0.isNumber }) } }

        /// Whether the process is a server of these data.
        static func holds(_ process: pid_t, _ data: String) -> Bool {
            String(decoding: Files.read("/proc/\(process)/cmdline"), as: UTF8.self).contains(data)
        }

        func count(port: UInt16) throws -> Program.Outcome {
            try Program.run(
                Products.executable("nexa"), ["--port", "\(port)", "-q", "-e", "use films; count"],
                environment: ["HOME": folder.path, "NEXADB_PASSWORD": "correct-horse"])
        }
    }

    @Test func aServerIsStartedFoundAndStopped() throws {
        let background = try Background()
        #expect(try background.run("status").exitCode == 3)
        let port = try background.start()
        let process = try #require(background.pidFile)
        #expect(process == background.holder)
        // It serves, is in a session of its own, and its folder is not where it was started.
        #expect(try background.count(port: port).output == "0\n")
        #expect(getsid(process) == process)

        let status = try background.run("status")
        #expect(status.exitCode == 0)
        #expect(status.lines.first == "nexadb is running")
        for line in ["process         \(process)", "address         127.0.0.1:\(port)", "version         4."] {
            #expect(status.output.contains("\n  \(line)"), "\(line) in \(status.output)")
        }
        #expect(status.output.contains("\n  up "))
        #expect(status.output.contains("\n  data directory  \(background.data)\n"))

        let stopped = try background.run("stop")
        #expect(stopped.exitCode == 0)
        #expect(stopped.output == "nexadb has stopped (process \(process))\n")
        #expect(background.pidFile == nil)
        #expect(kill(process, 0) != 0 || !Background.holds(process, background.data))
        #expect(try background.run("status").exitCode == 3)
        #expect(background.folder.read("data/nexadb.log")?.contains("stopped") == true)
    }

    @Test func startIsContentWithARunningServerAndStopWithNone() throws {
        let background = try Background()
        #expect(try background.run("stop").exitCode == 0)
        let port = try background.start()
        let process = background.pidFile
        let again = try background.run("start", ["--port", "0"])
        #expect(again.exitCode == 0)
        #expect(again.output.contains("nexadb runs already: process \(process ?? 0), 127.0.0.1:\(port)"))
        #expect(background.pidFile == process)
        #expect(try background.run("stop").exitCode == 0)
        #expect(try background.run("stop").output == "No server has \(background.data)\n")
    }

    @Test func restartKeepsTheOptionsAndTheDocuments() throws {
        let background = try Background()
        _ = try background.start(["--durability", "os", "--change-history", "1h"])
        let before = try #require(background.pidFile)
        let outcome = try background.run("restart")
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        let after = try #require(background.pidFile)
        #expect(before != after)
        let arguments = String(decoding: Files.read("/proc/\(after)/cmdline"), as: UTF8.self)
        #expect(arguments.contains("--durability=os\0"))
        #expect(arguments.contains("--change-history=1h\0"))
        // Options that are given replace those.
        #expect(try background.run("restart", ["--port", "0", "--durability", "sync"]).exitCode == 0)
        let last = String(decoding: Files.read("/proc/\(background.pidFile ?? 0)/cmdline"), as: UTF8.self)
        #expect(last.contains("--durability=sync\0"))
        #expect(!last.contains("--change-history"))
        #expect(try background.run("stop").exitCode == 0)
        // And a stopped one is started with what it had.
        #expect(try background.run("restart").exitCode == 0)
        #expect(try background.run("stop").exitCode == 0)
    }

    @Test func theFirstPasswordIsShownAndNotLogged() throws {
        let fresh = try Background()
        let first = try Program.run(
            fresh.nexadb, ["start", "--data-dir", fresh.data, "--port", "0"], input: nil,
            environment: ["HOME": fresh.folder.path])
        let line = try #require(first.errors.split(separator: "\n").first { $0.hasPrefix("The password of root is ") })
        let password = String(line.dropFirst("The password of root is ".count))
        let log = try #require(fresh.folder.read("data/nexadb.log"))
        #expect(!log.contains(password))
        #expect(!(fresh.folder.read("data/nexadb.run") ?? password).contains(password))
        let port = try #require(fresh.port(in: first.output))
        let counted = try Program.run(
            Products.executable("nexa"), ["--port", "\(port)", "-q", "-e", "use films; count"],
            environment: ["HOME": fresh.folder.path, "NEXADB_PASSWORD": password])
        #expect(counted.output == "0\n")
        #expect(try fresh.run("stop").exitCode == 0)
    }

    @Test func aFailedStartSaysWhy() throws {
        let background = try Background()
        let outcome = try background.run("start", ["--port", "0", "--tls-cert", background.folder["missing.pem"]])
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("the server did not start (code 1)"))
        #expect(outcome.errors.contains("missing.pem"))
        #expect(try background.run("status").exitCode == 3)
        // What it left behind does not stand in the way of the next one.
        _ = try background.start()
        #expect(try background.run("stop").exitCode == 0)
        #expect(try background.run("start", ["--port", "many"]).exitCode == 2)
        #expect(try background.run("stop", ["--wait", "long"]).exitCode == 2)
    }

    @Test func thePidFileOfADeadServerMeansNobody() throws {
        let background = try Background()
        _ = try background.start()
        let dead = try #require(background.pidFile)
        kill(dead, SIGKILL)
        while try background.run("status").exitCode != 3 {}
        #expect(background.pidFile == dead)
        #expect(try background.run("status").output.contains("did not leave by itself"))

        // The number has come to mean somebody else: neither `stop` nor `start` touches that process.
        let stranger = try Session("/bin/cat", [], environment: [:])
        try background.folder.write("data/nexadb.pid", "\(stranger.process)\n")
        try background.folder.write("data/LOCK", "\(stranger.process)\n")
        #expect(try background.run("status").exitCode == 3)
        #expect(try background.run("stop").exitCode == 0)
        #expect(background.pidFile == nil)
        try background.folder.write("data/nexadb.pid", "\(stranger.process)\n")
        _ = try background.start()
        #expect(background.pidFile != stranger.process)
        #expect(try background.run("stop").exitCode == 0)
        stranger.send("still here\r")
        #expect(stranger.sees("still here"))
    }

    @Test func aServerInTheForegroundIsFoundAndStopped() throws {
        let background = try Background()
        let server = try Session(
            background.nexadb, ["--data-dir", background.data, "--port", "0"], environment: [:], columns: 300)
        try #require(server.sees("port="))
        let status = try background.run("status")
        #expect(status.exitCode == 0)
        #expect(status.output.contains("\n  process         \(server.process)\n"))
        #expect(status.output.contains("not by 'nexadb start'"))
        let restart = try background.run("restart")
        #expect(restart.exitCode == 1)
        #expect(restart.errors.contains("its options are not known"))
        // The session collects its end while `stop` waits for it.
        let stopped = try background.run("stop")
        #expect(stopped.exitCode == 0)
        #expect(server.finish() == 0)
    }

    @Test func pathsMeanWhatTheyMeantWhereTheyWereGiven() throws {
        let background = try Background()
        let command =
            "cd '\(background.folder.path)' && '\(background.nexadb)' start --data-dir data --socket nexa.sock"
        let outcome = try Program.run("/bin/sh", ["-c", command], environment: ["HOME": background.folder.path])
        #expect(outcome.exitCode == 0, "\(outcome.errors)")
        #expect(access(background.folder["nexa.sock"], F_OK) == 0)
        #expect(try background.run("restart").exitCode == 0)
        #expect(access(background.folder["nexa.sock"], F_OK) == 0)
        #expect(try background.run("status").output.contains("\n  socket          \(background.folder["nexa.sock"])\n"))
        #expect(try background.run("stop").exitCode == 0)
    }

    @Test func theDataFolderOfTheUserIsTheDefault() throws {
        let background = try Background()
        for (environment, place) in [
            ([:], "/.local/share/nexadb"), (["XDG_DATA_HOME": "\(background.folder.path)/x"], "/x/nexadb"),
            (["DATA_DIR": "\(background.folder.path)/y"], "/y")
        ] {
            let outcome = try Program.run(
                background.nexadb, ["status"],
                environment: ["HOME": background.folder.path].merging(environment) { $1 })
            #expect(outcome.output == "No server has \(background.folder.path)\(place)\n")
        }
    }

    /// Servers that are started at the same moment: one gets the data, and everybody is told which.
    @Test func ofSeveralStartsAtOnceOneServes() async throws {
        let background = try Background()
        let data = background.data
        let nexadb = background.nexadb
        let outcomes = try await withThrowingTaskGroup(of: Program.Outcome.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try Program.run(
                        nexadb, ["start", "--data-dir", data, "--port", "0"], input: nil,
                        environment: ["NEXADB_ROOT_PASSWORD": "correct-horse"])
                }
            }
            var all: [Program.Outcome] = []
            for try await outcome in group { all.append(outcome) }
            return all
        }
        let process = try #require(background.pidFile)
        #expect(outcomes.contains { $0.output.contains("nexadb runs: process \(process),") })
        for outcome in outcomes where outcome.exitCode != 0 {
            #expect(outcome.errors.contains("is in use by"), "\(outcome.errors)")
        }
        #expect(try background.run("status").exitCode == 0)
        #expect(try background.run("stop").exitCode == 0)
    }
}
