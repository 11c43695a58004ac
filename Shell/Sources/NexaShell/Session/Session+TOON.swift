import NexaClient

/// `toon export` and `toon import`.
extension Session {
    /// A request holds no more.
    private static let maximumTOONBytes = 60 << 20

    func toon(_ call: CommandCall) async throws(ShellError) {
        var given = try CommandArguments(call)
        let usage = "Usage: \(call.specification.usage)"
        guard let direction = given.word() else { throw .plain("'toon' wants export or import", hint: usage) }
        guard let first = given.word(), let second = given.word() else {
            throw .plain("'toon \(direction)' wants a collection and a file", hint: usage)
        }
        try given.end()
        switch direction.lowercased() {
        case "export":
            try refuse(["--replace", "--lenient"], of: given, in: "export")
            try await exportTOON(first, to: second, given)
        case "import":
            try refuse(["--prompt", "--delimiter"], of: given, in: "import")
            // Of the two only this one writes, so the table cannot say it.
            guard !settings.isReadOnly else { throw .readOnly(call.specification) }
            guard transaction == nil else {
                throw .plain(
                    "toon import cannot be part of a transaction", hint: "End it with 'commit' or 'rollback' first.")
            }
            try await importTOON(first, into: second, given, call.interruption)
        default: throw .plain("'toon' knows export and import, not '\(direction)'", hint: usage)
        }
    }

    private func refuse(_ flags: [String], of given: CommandArguments, in word: String) throws(ShellError) {
        for flag in flags where given.has(flag) {
            throw ShellError(CommandFault("\(flag) means nothing to 'toon \(word)'", at: given.offset(of: flag)))
        }
    }

    private func exportTOON(_ name: String, to target: String, _ given: CommandArguments) async throws(ShellError) {
        let delimiters: [String: TOON.Delimiter] = ["comma": .comma, "tab": .tab, "pipe": .pipe]
        let delimiter = try given.choice(of: "--delimiter", { delimiters[$0] }, ["comma", "tab", "pipe"]) ?? .comma
        let shape: TOONShape = given.has("--prompt") ? .prompt : .unchanged
        let source = client.database(location.database).collection(name)
        let toon = try await call { () async throws(NexaError) in
            try await source.exportTOON(shape, delimiter: delimiter)
        }
        let isOutput = target == "-"
        if isOutput {
            try show { (console) throws(OutputError) in try console.result(toon.text) }
            guard !console.presentation.talksOnOutput else { return }
        } else {
            let file = try ExportFile(target)
            try attempt { () throws(OutputError) in
                try file.sink.write(toon.text)
                // The notation has no newline at its end; files of text have.
                try file.sink.write("\n")
            }
            try file.complete()
        }
        try show { (console) throws(OutputError) in
            try console.success("Exported \(toon.count) document(s) from \(name)\(isOutput ? "" : " to \(target)")")
            for line in Self.savings(toon.statistics) { try console.note("  " + line) }
        }
    }

    /// What the text saves, by tokens where the server counts them.
    private static func savings(_ statistics: TOONText.Statistics) -> [String] {
        func percent(_ part: Int, of whole: Int) -> String {
            guard whole > 0 else { return "0 %" }
            let tenths = Int((1000 * Double(whole - part) / Double(whole)).rounded())
            return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) %"
        }
        guard let bytes = statistics.bytes, let tokens = statistics.tokens,
            let others = statistics.compactJSONTokens
        else {
            let less = percent(statistics.characters, of: statistics.paddedJSONCharacters ?? 0)
            return [
                "Size: \(statistics.characters) characters", "Token reduction: \(less), by characters of padded JSON"
            ]
        }
        return [
            "Size: \(bytes) bytes, about \(tokens) tokens",
            "Token reduction: \(percent(tokens, of: others)), compared with about \(others) of compact JSON"
        ]
    }

    private func importTOON(
        _ source: String, into name: String, _ given: CommandArguments, _ interruption: Interruption
    ) async throws(ShellError) {
        let text = try await text(of: source, interruption)
        let target = client.database(location.database).collection(name)
        let (replaces, isLenient) = (given.has("--replace"), given.has("--lenient"))
        let result = try await call { () async throws(NexaError) in
            try await target.importTOON(text, replacing: replaces, isLenient: isLenient)
        }
        try show { (console) throws(OutputError) in
            try console.success("Imported \(result.count) document(s) into \(name)")
            try console.note(
                replaces
                    ? "  Mode: replace (the documents that were there are deleted)"
                    : "  Mode: append (added to the documents that were there)")
        }
    }

    /// A whole file, or standard input.
    private func text(of source: String, _ interruption: Interruption) async throws(ShellError) -> String {
        let input: ByteInput
        if source == "-" {
            guard let given = settings.input else {
                throw ShellError("standard input is a terminal; give a file, or pipe the text in")
            }
            input = given
        } else {
            input = try ByteInput(path: source, signals: -1)
        }
        let reader = try ChunkReader(input)
        defer { reader.stop() }
        return try await interruption.handled(by: { reader.stop() }) { () async throws(ShellError) -> String in
            var bytes: [UInt8] = []
            while true {
                switch await reader.next() {
                case .bytes(let more): bytes += more
                case .end:
                    guard let text = String(validating: bytes, as: UTF8.self) else {
                        throw ShellError("\(source) is not text in UTF-8", exit: .file)
                    }
                    return text
                case .failure(let error): throw error
                case .stopped: throw ShellError("Cancelled; nothing was written", exit: .interrupted)
                }
                guard bytes.count <= Self.maximumTOONBytes else {
                    throw ShellError(
                        "\(source) is larger than \(Self.maximumTOONBytes >> 20) MiB, which is the most one import takes",
                        exit: .file)
                }
            }
        }
    }
}
