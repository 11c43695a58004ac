import Glibc
import PTYKit
import TestKit
import Testing

@testable import NexaShell

@Suite struct HistoryTests {
    @Test func entriesSurviveTheFileInOrder() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/history"
        let store = HistoryStore(path: path)
        store.add("use movies")
        store.add("create {\n  \"a\": \"x\\ny\"\n}")
        store.add("count")
        store.add("count")
        #expect(HistoryStore(path: path).entries == ["use movies", "create {\n  \"a\": \"x\\ny\"\n}", "count"])
        #expect(folder.read("history") == "#V2\nuse movies\ncreate {\\n  \"a\": \"x\\\\ny\"\\n}\ncount\n")
    }

    @Test func theFileIsOnlyForItsOwner() throws {
        let folder = try TemporaryDirectory()
        let previous = umask(0)
        defer { umask(previous) }
        HistoryStore(path: folder.path + "/history").add("count")
        var status = stat()
        #expect(stat(folder.path + "/history", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func otherFormatsAreReadAndKept() throws {
        let folder = try TemporaryDirectory()
        let plain = try folder.write("plain", "use a\ncount")
        #expect(HistoryStore(path: plain).entries == ["use a", "count"])
        HistoryStore(path: plain).add("ping")
        #expect(folder.read("plain") == "#V2\nuse a\ncount\nping\n")

        let libedit = try folder.write("libedit", "_HiStOrY_V2_\nuse\\040movies\nquery\\040{\"a\":\\0401}\n")
        #expect(HistoryStore(path: libedit).entries == ["use movies", "query {\"a\": 1}"])
    }

    @Test func aTornLastLineCostsNothingElse() throws {
        let folder = try TemporaryDirectory()
        let path = try folder.write("history", "#V2\nuse a\ncoun")
        HistoryStore(path: path).add("ping")
        #expect(HistoryStore(path: path).entries == ["use a", "coun", "ping"])
    }

    @Test(arguments: [
        " count", "\tcount", "passwd", "create_user bob --role read", "create {\"password\": \"x\"}",
        "create {apiKey : 'x'}", "update 1 {\"auth\": {\"accessToken\": \"x\"}", "create {\"a\": 1, 'my secret': 2",
        "create {\n\"credentials\":\n\"x\"}"
    ])
    func secretsAreNotRemembered(_ entry: String) throws {
        let folder = try TemporaryDirectory()
        let store = HistoryStore(path: folder.path + "/history")
        store.add(entry)
        #expect(store.entries.isEmpty)
        #expect(folder.read("history") == nil)
    }

    @Test(arguments: ["query {\"title\": \"The Secret Garden\"}", "use tokens", "count {compass_bearing: 1} "])
    func innocentWordsAre(_ entry: String) {
        let store = HistoryStore(path: nil)
        store.add(entry)
        #expect(store.entries == (entry.contains("compass") ? [] : [entry]))
    }

    @Test func largeEntriesStayInMemory() throws {
        let folder = try TemporaryDirectory()
        let store = HistoryStore(path: folder.path + "/history")
        let large = "create {\"v\": [" + String(repeating: "0.5,", count: 20_000) + "1]}"
        store.add(large)
        #expect(store.entries == [large])
        #expect(folder.read("history") == nil)
    }

    @Test func whatIsNoPlainFileIsLeftAlone() throws {
        let folder = try TemporaryDirectory()
        let target = try folder.write("target", "precious")
        symlink(target, folder.path + "/link")
        mkfifo(folder.path + "/fifo", 0o600)
        mkdir(folder.path + "/folder", 0o700)
        for name in ["link", "fifo", "folder", "missing/deep"] {
            let store = HistoryStore(path: folder.path + "/" + name)
            store.add("count")
            #expect(store.entries == ["count"])
        }
        #expect(folder.read("target") == "precious")
        #expect(HistoryStore(path: "/dev/null").entries.isEmpty)
    }

    @Test func shellsWritingAtTheSameTimeMixNothing() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/history"
        await withTaskGroup(of: Void.self) { group in
            for shell in 0..<8 {
                group.addTask {
                    let store = HistoryStore(path: path)
                    for index in 0..<50 { store.add("query {shell: \(shell), index: \(index)}") }
                }
            }
        }
        let entries = HistoryStore(path: path).entries
        #expect(Set(entries).count == 400)
        #expect(entries.allSatisfy { $0.hasPrefix("query {shell: ") && $0.hasSuffix("}") })
        for shell in 0..<8 {
            let own = entries.filter { $0.hasPrefix("query {shell: \(shell),") }
            #expect(own == (0..<50).map { "query {shell: \(shell), index: \($0)}" })
        }
    }

    @Test func theFileIsTrimmedAtTheEnd() throws {
        let folder = try TemporaryDirectory()
        let lines = (0..<12_000).map { "count \($0)" }
        let path = try folder.write("history", "#V2\n" + lines.joined(separator: "\n") + "\n")
        let store = HistoryStore(path: path)
        #expect(store.entries.count == 10_000)
        store.trim()
        #expect(HistoryStore(path: path).entries == Array(lines.suffix(10_000)))
        let text = try #require(folder.read("history"))
        #expect(text.hasPrefix("#V2\ncount 2000\n"))
    }
}
