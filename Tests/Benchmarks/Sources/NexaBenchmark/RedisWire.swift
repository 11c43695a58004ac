import Glibc
import NexaValue

/// Redis: a film is a string of JSON under its id. Films live in database 0, inserted documents in database 1.
struct RedisWire: WireProtocol {
    typealias Scanner = RedisReplyScanner

    let name = "Redis"
    let numberForm = RequestTemplates.NumberForm.decimal
    let updateCarriesDocument = true

    func begin(_ connection: Connection<Scanner>) throws(BenchmarkError) -> String {
        try field("redis_version", of: "server", connection)
    }

    func createCollections(_ control: Connection<Scanner>) throws(BenchmarkError) {
        _ = try control.exchange(command("FLUSHALL"))
    }

    func removeInserted(_ control: Connection<Scanner>) throws(BenchmarkError) {
        _ = try control.exchange(command("SELECT", "1"))
        _ = try control.exchange(command("FLUSHDB", "SYNC"))
    }

    func countInserted(_ control: Connection<Scanner>) throws(BenchmarkError) -> Int {
        _ = try control.exchange(command("SELECT", "1"))
        let reply = try control.exchange(command("DBSIZE"))
        return Int(String(decoding: reply.dropFirst().dropLast(2), as: UTF8.self)) ?? -1
    }

    /// Waits for the end of a rewrite of the append-only file, which growth starts.
    func settle(_ control: Connection<Scanner>) throws(BenchmarkError) {
        for _ in 0..<500 {
            if try field("aof_rewrite_in_progress", of: "persistence", control) == "0" { return }
            usleep(20_000)
        }
    }

    func prepareServer(_ control: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {
        guard let durability = operation.durability else { return }
        let policy = durability == .sync ? "always" : "everysec"
        _ = try control.exchange(command("CONFIG", "SET", "appendfsync", policy))
    }

    func prepare(_ connection: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {
        _ = try connection.exchange(command("SELECT", operation.isInsert ? "1" : "0"))
    }

    func request(_ operation: Operation, film: Document, year: Int64) throws(BenchmarkError) -> [UInt8]? {
        let id = RequestTemplates.idPlaceholder
        switch operation {
        case .load, .insertOS, .insertSync:
            return command([Array("SET".utf8), Array(id.utf8), try compactJSON(film)])
        case .read: return command("GET", id)
        case .updateOS, .updateSync:
            var changed = film
            changed["views"] = .int(Int64(RequestTemplates.numberPlaceholder))
            return command([Array("SET".utf8), Array(id.utf8), try compactJSON(changed)])
        case .query: return nil
        }
    }

    func document(inReply reply: [UInt8]) throws(BenchmarkError) -> Document {
        try NexaBenchmark.document(fromJSON: bulk(reply))
    }

    func documentCount(inReply reply: [UInt8]) throws(BenchmarkError) -> Int {
        throw BenchmarkError("Redis has no queries")
    }

    private func command(_ words: String...) -> [UInt8] { command(words.map { Array($0.utf8) }) }

    private func command(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words {
            bytes.append(contentsOf: "$\(word.count)\r\n".utf8)
            bytes.append(contentsOf: word)
            bytes.append(contentsOf: "\r\n".utf8)
        }
        return bytes
    }

    /// What a bulk reply carries.
    private func bulk(_ reply: [UInt8]) -> ArraySlice<UInt8> {
        guard let end = reply.firstIndex(of: UInt8(ascii: "\n")), reply.count >= end + 3 else { return [] }
        return reply[(end + 1)..<(reply.count - 2)]
    }

    private func field(
        _ name: String, of section: String, _ connection: Connection<Scanner>
    ) throws(BenchmarkError) -> String {
        let lines = String(decoding: bulk(try connection.exchange(command("INFO", section))), as: UTF8.self)
        for line in lines.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return String(parts[1]) }
        }
        throw BenchmarkError("INFO \(section) does not tell \(name)")
    }
}
