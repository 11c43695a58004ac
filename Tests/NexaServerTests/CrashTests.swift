import Glibc
import NexaProtocol
import NexaValue
import Synchronization
import TestKit
import Testing

/// What was acknowledged is there after `kill -9`; what was deleted stays deleted; nothing comes back to life.
@Suite(.serialized) struct CrashTests {
    /// What the writers know: for each id, the versions that may be there after the kill.
    final class Ledger: Sendable {
        struct Entry {
            /// The last acknowledged version; `nil` for absent.
            var acknowledged: Int64?
            /// A change that was sent and not answered: it may have happened or not.
            var pending: Int64??
        }
        let entries = Mutex<[String: Entry]>([:])

        func sent(_ id: String, _ version: Int64?) {
            entries.withLock { $0[id, default: Entry()].pending = .some(version) }
        }

        func answered(_ id: String, _ version: Int64?) {
            entries.withLock { $0[id] = Entry(acknowledged: version, pending: nil) }
        }
    }

    /// Writes until the server dies: inserts, updates and deletes, each id by one writer only.
    fileprivate static func write(_ writer: Int, round: Int, port: UInt16, ledger: Ledger) {
        var random = SplitMix64(seed: UInt64(round * 100 + writer))
        guard let peer = try? Peer(port: port), (try? peer.logIn()) != nil else { return }
        var mine: [String] = []
        var version: Int64 = 0
        while true {
            version += 1
            let request: Request
            let id: String
            var after: Int64? = version
            let choice = random.next() % 10
            if mine.isEmpty || choice < 5 {
                id = "r\(round)w\(writer)n\(version)"
                mine.append(id)
                let padding = Value.string(String(repeating: "p", count: Int(random.next() % 400)))
                request = .insert(
                    .init(
                        namespace: .films,
                        document: encoded(["_id": .string(id), "version": .int(version), "padding": padding])))
            } else if choice < 9 {
                id = mine[Int(random.next() % UInt64(mine.count))]
                request = .update(
                    .init(namespace: .films, id: .string(id), updates: encoded(["version": .int(version)])))
            } else {
                id = mine.remove(at: Int(random.next() % UInt64(mine.count)))
                after = nil
                request = .delete(.init(namespace: .films, id: .string(id)))
            }
            ledger.sent(id, after)
            guard let reply = try? peer.ask(request), reply.type == .success else { return }
            ledger.answered(id, after)
        }
    }

    /// Compares everything the ledger knows with what the server has.
    private static func compare(_ ledger: Ledger, port: UInt16) throws -> (found: Int, wrong: [String]) {
        let peer = try Peer(port: port).logIn()
        let reply = try peer.ask(.query(.init(namespace: .films, limit: 0, projection: ["version": 1])))
        var stored: [String: Int64] = [:]
        for document in reply.fields["documents"]?.array ?? [] {
            guard let document = document.document, let id = document["_id"]?.string else { continue }
            stored[id] = document["version"]?.int
        }
        var wrong: [String] = []
        ledger.entries.withLock { entries in
            for (id, entry) in entries {
                let now = stored[id]
                let isExpected = now == entry.acknowledged || (entry.pending.map { $0 == now } ?? false)
                if !isExpected { wrong.append("\(id): has \(now as Any), acknowledged \(entry.acknowledged as Any)") }
                // Whatever it was, this is what it is from now on.
                entries[id] = Ledger.Entry(acknowledged: now, pending: nil)
            }
            for id in stored.keys where entries[id] == nil { wrong.append("\(id): nobody wrote it") }
        }
        return (stored.count, wrong)
    }

    static var rounds: Int { getenv("NEXA_CRASH_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 100 }

    @Test func killedInTheMiddleOfWritesNothingAcknowledgedIsLost() async throws {
        let directory = try TemporaryDirectory()
        let ledger = Ledger()
        var random = SplitMix64(seed: 4_242)
        for round in 0..<Self.rounds {
            let server = try ServerProcess(
                data: directory.path + "/data", options: round % 4 == 3 ? ["--durability", "os"] : [])
            let (_, wrong) = try Self.compare(ledger, port: server.port)
            try #require(wrong.isEmpty, "round \(round): \(wrong.prefix(5))")
            let delay = UInt32(5_000 + random.next() % 60_000)
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        await onThread { Self.write(writer, round: round, port: server.port, ledger: ledger) }
                    }
                }
                await onThread {
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
        }
        let server = try ServerProcess(data: directory.path + "/data")
        let (found, wrong) = try Self.compare(ledger, port: server.port)
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
        #expect(found > Self.rounds)
        #expect(server.end(with: SIGTERM) == 0)
    }

    @Test func terminatedServersAnswerWhatTheyReceivedAndExitWithZero() async throws {
        let directory = try TemporaryDirectory()
        let ledger = Ledger()
        for round in 0..<3 {
            let server = try ServerProcess(data: directory.path + "/data")
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        await onThread { Self.write(writer, round: round, port: server.port, ledger: ledger) }
                    }
                }
                await onThread {
                    usleep(50_000)
                    let code = server.end(with: SIGTERM)
                    #expect(code == 0)
                }
            }
            let again = try ServerProcess(data: directory.path + "/data")
            let (_, wrong) = try Self.compare(ledger, port: again.port)
            #expect(wrong.isEmpty, "\(wrong.prefix(5))")
            again.end(with: SIGTERM)
        }
    }

    /// Flipped and cut bytes at seeded places of the log: the server starts, or says what is wrong and how to go on.
    @Test func aDamagedLogNeverPreventsTheStartWithoutAClearWord() async throws {
        let directory = try TemporaryDirectory()
        var random = SplitMix64(seed: 77)
        var refusals = 0
        for round in 0..<20 {
            let data = directory.path + "/data\(round)"
            let server = try ServerProcess(data: data)
            let peer = try Peer(port: server.port).logIn()
            for number in 0..<50 {
                try peer.ask(.insert(.init(namespace: .films, document: encoded(["_id": .int(Int64(number))]))))
            }
            server.end(with: SIGKILL)
            try Self.damageLog(of: data, isCut: round % 3 == 0, &random)
            do {
                try ServerProcess(data: data).end(with: SIGTERM)
            } catch {
                refusals += 1
                #expect("\(error)".contains("--log-recovery discard-after-damage"), "\(error)")
                let again = try ServerProcess(data: data, options: ["--log-recovery", "discard-after-damage"])
                let other = try Peer(port: again.port).logIn()
                let count = try other.ask(.query(.init(namespace: .films, isCountOnly: true))).fields["count"]?.int
                #expect((0...50).contains(count ?? -1))
                again.end(with: SIGTERM)
            }
        }
        #expect(refusals > 0, "no damage was noticed: the test damages the wrong place")
    }

    /// Damages the written part of the newest log file.
    private static func damageLog(of data: String, isCut: Bool, _ random: inout SplitMix64) throws {
        let names = Files.names(in: data + "/log")
        let path = data + "/log/" + (try #require(names.last))
        var bytes = Files.read(path)
        let written = try #require(bytes.lastIndex { $0 != 0 }) + 1
        let place = Int(random.next() % UInt64(written))
        if isCut {
            bytes.removeLast(bytes.count - place)
        } else {
            bytes[place] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
        }
        try Files.write(bytes, to: path)
    }

    @Test func wrongUsageAndUnusableDirectoriesAreToldInOneLine() throws {
        let directory = try TemporaryDirectory()
        let usage = try ServerProcess.run(["--colour"])
        #expect(usage.code == 2)
        #expect(usage.text.contains("unknown option '--colour'"))
        let port = try ServerProcess.run(["--port", "70000"])
        #expect(port.code == 2)
        for flags in [
            ["--change-history", "2w"], ["--change-history-size", "-1"], ["--change-history", "9999999999999999d"]
        ] {
            let history = try ServerProcess.run(flags)
            #expect(history.code == 2 && history.text.contains(flags[0]) && history.text.contains(flags[1]))
        }
        let file = try ServerProcess.run(["--data-dir", "/dev/null/data"])
        #expect(file.code == 1)
        let server = try ServerProcess(
            data: directory.path + "/data", options: ["--change-history", "90m", "--change-history-size", "512M"])
        let second = try ServerProcess.run(["--data-dir", directory.path + "/data", "--port", "0"])
        #expect(second.code == 1)
        #expect(second.text.contains("\(server.pid)"), "the message names the process: \(second.text)")
        server.end(with: SIGTERM)
    }
}

/// The configuration file, which loses against the command line.
@Suite struct ConfigurationFileTests {
    @Test func optionsOfAFileHoldUnlessFlagsSayOtherwise() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/nexadb.conf"
        try Files.write(
            Array("# where\n data-dir = \"\(directory.path)/data\"\r\nverbose=true\ncache-size = 32M\nport = 1\n".utf8),
            to: file)
        let checked = try ServerProcess.run(["--check-config", "--config", file])
        #expect(checked.code == 0 && checked.text.contains("fine"), "\(checked.text)")
        // It would not start at port 1, nor there without its data.
        let server = try ServerProcess(data: directory.path + "/data", options: ["--config=\(file)"])
        server.end(with: SIGTERM)
        for (text, message) in [
            ("colour = red", ":1: unknown option 'colour'"), ("\n\nport = x", ":3: port: a port is a number"),
            ("cache-size = 12", "from 1M to 16T"), ("verbose = maybe", "true or false"), ("port", "needs a value"),
            ("config = other", "unknown option 'config'"), ("help = true", "unknown option 'help'")
        ] {
            try Files.write(Array(text.utf8), to: file)
            for flags in [["--check-config"], []] {
                let wrong = try ServerProcess.run(flags + ["--config", file])
                #expect(wrong.code == 2 && wrong.text.contains(message), "\(wrong.text)")
            }
        }
        #expect(try ServerProcess.run(["--check-config", "--config", directory.path]).code == 2)
        let certificate = try ServerProcess.run(["--check-config", "--tls-cert", directory.path + "/none.pem"])
        #expect(certificate.code == 1 && certificate.text.contains("none.pem"))
    }
}

/// Runs blocking work on a thread of its own, so that it holds up no task.
func onThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        let work = Unmanaged.passRetained(
            Box {
                body()
                continuation.resume()
            })
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        pthread_detach(thread)
    }
}

private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

extension CrashTests {
    /// Replays the events behind a token over what is known, and returns the token behind the last.
    private static func replay(
        _ documents: inout [String: Int64], after token: [UInt8]?, port: UInt16
    ) throws -> [UInt8] {
        let peer = try Peer(port: port).logIn()
        let reply = try peer.ask(.subscribe(.init(collection: "films", after: token)))
        try #require(reply.type == .success, "\(reply.fields)")
        var token = try #require(token ?? reply.fields["token"]?.bytes)
        // The answer to a write behind all others: when its event is there, so are those before it.
        try peer.send(.insert(.init(namespace: .films, document: encoded(["_id": "end", "version": 0]))))
        try peer.send(.delete(.init(namespace: .films, id: "end")))
        while let frame = try peer.receive() {
            guard frame.type == .changeEvent, let kind = frame.fields["operationType"]?.string else { continue }
            token = try #require(frame.fields["token"]?.bytes)
            let id = try #require(frame.fields["documentKey"]?.document?["_id"]?.string)
            if kind == "delete" {
                #expect(documents.removeValue(forKey: id) != nil, "\(id) was deleted without having been inserted")
                if id == "end" { return token }
            } else {
                #expect((documents[id] == nil) == (kind == "insert"), "\(kind) of \(id)")
                documents[id] = frame.fields["fullDocument"]?.document?["version"]?.int
            }
        }
        throw Peer.Gone(description: "the server closed the connection")
    }

    /// The change history and the documents come out of every crash alike: events and documents agree.
    @Test func killedInTheMiddleOfWritesTheHistoryTellsWhatIsStored() async throws {
        let directory = try TemporaryDirectory()
        let ledger = Ledger()
        var random = SplitMix64(seed: 99)
        var replayed: [String: Int64] = [:]
        var token: [UInt8]?
        for round in 0..<max(10, Self.rounds / 5) {
            let server = try ServerProcess(
                data: directory.path + "/data", options: round % 3 == 2 ? ["--durability", "os"] : [])
            token = try Self.replay(&replayed, after: token, port: server.port)
            let peer = try Peer(port: server.port).logIn()
            let reply = try peer.ask(.query(.init(namespace: .films, limit: 0, projection: ["version": 1])))
            var stored: [String: Int64] = [:]
            for document in (reply.fields["documents"]?.array ?? []).compactMap(\.document) {
                stored[document["_id"]?.string ?? ""] = document["version"]?.int
            }
            try #require(stored == replayed, "round \(round): \(stored.count) stored, \(replayed.count) told of")
            let delay = UInt32(5_000 + random.next() % 60_000)
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        await onThread { Self.write(writer, round: round, port: server.port, ledger: ledger) }
                    }
                }
                await onThread {
                    usleep(delay)
                    server.end(with: SIGKILL)
                }
            }
        }
        #expect(replayed.count > 10)
    }
}
