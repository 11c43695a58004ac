import NexaClient
import NexaValue
import Synchronization

/// The commands about indexes.
extension Session {
    func listIndexes(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let collection = try stored(arguments.word())
        try arguments.end()
        let indexes = try await self.call { () async throws(NexaError) in try await collection.indexes() }
        try list(
            "Found \(indexes.count) index(es):", empty: "No indexes found", columns: ["name", "fields", "properties"],
            rows: indexes.map { [$0.name] + $0.columns }, documents: indexes.map(\.shown))
    }

    /// The collection that an argument names, else the current one, as it is outside of a transaction.
    func stored(_ name: String?) throws(ShellError) -> NexaCollection<Document> {
        guard let name = name ?? location.collection, !name.isEmpty else { return try collection() }
        return client.database(location.database).collection(name)
    }

    func createIndex(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        let offset = call.arguments.firstOffset
        var keys: [Sort] = []
        if let document = arguments.isAtJSON ? try arguments.document("fields, such as {city: 1, age: -1}") : nil {
            for (path, direction) in document {
                guard let number = direction.int, number == 1 || number == -1 else {
                    throw ShellError(CommandFault("'\(path)' is 1, ascending, or -1, descending", at: offset))
                }
                keys.append(Sort(path, number < 0 ? .descending : .ascending))
            }
        }
        while let word = arguments.word() { keys += try Self.indexKeys(word, at: offset) }
        try arguments.end()
        guard !keys.isEmpty else { throw .plain("Field required", hint: "Usage: \(call.specification.usage)") }
        try checkVectorFlags(arguments)
        if arguments.has("--dims") { return try await createVectorIndex(collection, wanted: keys, arguments) }
        let wanted = keys
        let partial = try arguments.document(of: "--partial").map { Filter($0) }
        let expiry = try Self.time(try arguments.text(of: "--ttl"), at: arguments.offset(of: "--ttl"))
        let name = try arguments.text(of: "--name")
        let progress = IndexProgress(console)
        let waits = !arguments.has("--no-wait")
        let made: String
        do throws(NexaError) {
            defer { progress.finish() }
            made = try await collection.createIndex(
                wanted, name: name, unique: arguments.has("--unique"), sparse: arguments.has("--sparse"),
                partial: partial, expireAfter: expiry, waits: waits
            ) { progress.show($0, of: $1) }
        } catch {
            throw Self.indexFailure(error, collection.name)
        }
        try tellIndex(made, collection.name, isBuilt: waits)
    }

    private func createVectorIndex(
        _ collection: NexaCollection<Document>, wanted keys: [Sort], _ arguments: CommandArguments
    ) async throws(ShellError) {
        for flag in ["--unique", "--sparse", "--partial", "--ttl", "--name"] where arguments.has(flag) {
            throw ShellError(
                CommandFault("an index of vectors has no \(flag)", at: arguments.offset(of: flag)))
        }
        guard keys.count == 1, keys[0].direction == .ascending else {
            throw ShellError("an index of vectors is of one field, without a direction")
        }
        let made = try await createVectorIndex(collection, on: keys[0].path, arguments)
        try tellIndex(made, collection.name, isBuilt: !arguments.has("--no-wait"))
    }

    private func tellIndex(_ name: String, _ collection: String, isBuilt: Bool) throws(ShellError) {
        try show { (console) throws(OutputError) in
            try console.success(
                isBuilt ? "Index created: \(name)" : "Index \(name) is being built; 'indexes' shows how far it is")
        }
        try printForPrograms(["name": .string(name), "collection": .string(collection)])
    }

    private static func indexFailure(_ error: NexaError, _ collection: String) -> ShellError {
        var failure = ShellError(error)
        switch error.code {
        case .cancelled:
            failure = ShellError(
                "Stopped waiting; if it was begun, the index is still being built: 'indexes' shows how far it is",
                exit: .interrupted)
        case .duplicateKey: failure.hint = "The index was not made. Change those documents, or leave --unique out."
        default: break
        }
        return failure
    }

    /// `city,-age` or `city,age:-1`.
    private static func indexKeys(_ word: String, at offset: Int) throws(ShellError) -> [Sort] {
        var keys: [Sort] = []
        for part in word.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let isDescending = pieces[0].hasPrefix("-")
            let path = String(isDescending ? pieces[0].dropFirst() : pieces[0])
            guard !path.isEmpty, pieces.count == 1 || (!isDescending && ["1", "-1"].contains(pieces[1])) else {
                throw ShellError(
                    CommandFault("'\(part)' is no field of an index; write city, -age or age:-1", at: offset))
            }
            keys.append(Sort(path, isDescending || pieces.last == "-1" ? .descending : .ascending))
        }
        return keys
    }

    /// `90`, `90s`, `15m`, `24h` or `7d`.
    private static func time(_ text: String?, at offset: Int) throws(ShellError) -> Duration? {
        guard let text else { return nil }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = text.last.flatMap { units[$0] }
        let (seconds, isTooLong) = (Int(unit == nil ? text : String(text.dropLast())) ?? 0)
            .multipliedReportingOverflow(by: unit ?? 1)
        guard seconds > 0, !isTooLong else {
            throw ShellError(CommandFault("--ttl wants a time such as 90s, 15m, 24h or 7d", at: offset))
        }
        return .seconds(seconds)
    }

    func dropIndex(_ call: CommandCall) async throws(ShellError) {
        let collection = try collection()
        var arguments = try CommandArguments(call)
        guard let name = arguments.word(), !name.isEmpty else {
            throw .plain("Index name required", hint: "Usage: \(call.specification.usage)")
        }
        try arguments.end()
        do throws(NexaError) {
            try await collection.dropIndex(name)
        } catch {
            var failure = ShellError(error)
            if error.code == .notFound { failure.hint = "'indexes' lists the indexes and their names" }
            throw failure
        }
        try show { (console) throws(OutputError) in try console.success("Index dropped: \(name)") }
    }
}

extension NexaIndex {
    private var order: String {
        keys.map { $0.direction == .descending ? "-\($0.path)" : $0.path }.joined(separator: ",")
    }

    /// Fields, properties and state.
    var columns: [String] {
        var properties: [String] = []
        if let vector {
            properties.append("vectors of \(vector.dimensions), \(vector.metric.rawValue)")
            if vector.quantization != .none { properties.append(vector.quantization.rawValue) }
        }
        if isUnique { properties.append("unique") }
        if isSparse { properties.append("sparse") }
        if let partial {
            properties.append("partial " + ((try? JSON.string(.document(partial.document))) ?? ""))
        }
        if let expireAfter { properties.append("expires after \(expireAfter.components.seconds) s") }
        switch state {
        case .ready: break
        case .building(let scanned, let total):
            properties.append("being built: \(Amount.share(scanned, of: total))")
        case .failed(let reason): properties.append("failed: \(reason)")
        }
        return [order, properties.joined(separator: ", ")]
    }

    /// The index as programs read it.
    var shown: Document {
        var document: Document = [
            "name": .string(name),
            "keys": .document(Document(keys.map { ($0.path, .int(Int64($0.direction.rawValue))) })),
            "unique": .bool(isUnique), "sparse": .bool(isSparse)
        ]
        if let partial { document["partial"] = .some(.document(partial.document)) }
        if let expireAfter { document["expire_after"] = .int(expireAfter.components.seconds) }
        if let vector {
            document["vector"] = [
                "dimensions": .int(Int64(vector.dimensions)), "metric": .string(vector.metric.rawValue),
                "quantization": .string(vector.quantization.rawValue), "m": .int(Int64(vector.maxConnections)),
                "ef_construction": .int(Int64(vector.efConstruction))
            ]
        }
        switch state {
        case .ready: document["state"] = "ready"
        case .building(let scanned, let total):
            document["state"] = "building"
            document["scanned"] = .int(Int64(scanned))
            document["total"] = .int(Int64(total))
        case .failed(let reason):
            document["state"] = "failed"
            document["error"] = .string(reason)
        }
        return document
    }
}

/// Tells on standard error how far the building of an index is.
final class IndexProgress: Sendable {
    private struct State {
        var lastShown = 0.0
        var isShown = false
    }

    private let console: Console
    private let start = Clock.now
    private let state = Mutex(State())

    init(_ console: Console) { self.console = console }

    /// So many documents of about so many were looked at.
    func show(_ scanned: Int, of total: Int) {
        let presentation = console.presentation
        let now = Clock.now
        let isDue = state.withLock { state in
            guard presentation.progress != .none, now - start >= 0.3,
                now - state.lastShown >= (presentation.progress == .lines ? 5 : 0.1)
            else { return false }
            state.lastShown = now
            state.isShown = true
            return true
        }
        guard isDue else { return }
        let line = Self.line(scanned, of: total, seconds: now - start)
        write(presentation.progress == .bar ? "\r\(line)\u{1B}[K" : line + "\n")
    }

    /// Removes the bar.
    func finish() {
        if state.withLock({ $0.isShown }), console.presentation.progress == .bar { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        // Progress that cannot be shown is no reason to stop the work.
        try? console.errors.write(text)
        try? console.errors.flush()
    }

    /// `[====>     ] 41%  410 k of 1.0 M docs  ETA 4 s`.
    static func line(_ scanned: Int, of total: Int, seconds: Double) -> String {
        let share = total > 0 ? min(1, Double(scanned) / Double(total)) : 0
        let filled = Int(share * 10)
        let bar = String(repeating: "=", count: filled) + (filled < 10 ? ">" : "")
        let padding = String(repeating: " ", count: 10 - min(10, bar.count))
        var line = "[\(bar)\(padding)] \(Int(share * 100))%  \(Amount.short(Double(scanned)))of "
        line += "\(Amount.short(Double(total)))docs"
        if share > 0.01 { line += "  ETA \(Int((seconds / share - seconds).rounded(.up))) s" }
        return line
    }
}
