/// The configuration file: the options of the server, `name = value` in a line, as `--check-config` prints them.
extension Options {
    /// Bytes that a configuration file may have.
    private static let maximumFileBytes = 1 << 20

    /// Whether a file may say an option: not what is a command, or has to do with the file itself.
    private static func isOfFile(_ definition: Definition) -> Bool {
        (definition.group == .server && definition.flag != "--config") || definition.flag == "--data-dir"
    }

    /// The file that the flags or the environment name, before they are read themselves: they win over it.
    static func configurationFile(_ arguments: [String], _ environment: (String) -> String?) -> String? {
        var file = environment("NEXADB_CONFIG").flatMap { $0.isEmpty ? nil : $0 }
        for (position, argument) in arguments.enumerated() {
            if argument == "--config", position + 1 < arguments.count { file = arguments[position + 1] }
            if argument.hasPrefix("--config=") { file = String(argument.dropFirst("--config=".count)) }
        }
        return file
    }

    mutating func readFile(_ path: String) throws(Problem) {
        guard let text = TextFile.read(path, upTo: Self.maximumFileBytes) else {
            throw Problem(message: "cannot read the configuration \(path)")
        }
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            do throws(Problem) {
                try readLine(Self.trimmed(line))
            } catch {
                throw Problem(message: "\(path):\(number + 1): \(error.message)")
            }
        }
    }

    private mutating func readLine(_ line: Substring) throws(Problem) {
        if line.isEmpty || line.hasPrefix("#") { return }
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = Self.trimmed(parts[0])
        guard let definition = Self.definitions.first(where: { $0.flag == "--" + name && Self.isOfFile($0) }) else {
            throw Problem(message: "unknown option '\(name)'; see nexadb --help, and leave out the dashes")
        }
        var value = parts.count == 2 ? Self.trimmed(parts[1]) : ""
        if value.count >= 2, let quote = value.first, quote == "\"" || quote == "'", value.last == quote {
            value = value.dropFirst().dropLast()
        }
        if definition.placeholder == nil {
            guard value == "true" || value == "false" else {
                throw Problem(message: "\(name) is true or false, not '\(value)'")
            }
            if value == "false" { return }
        } else if value.isEmpty {
            throw Problem(message: "\(name) needs a value: \(name) = …")
        }
        do throws(Problem) {
            try definition.set(&self, String(value))
        } catch {
            throw Problem(message: "\(name): \(error.message)")
        }
        ofFile.append(Given(flag: definition.flag, value: definition.placeholder == nil ? nil : String(value)))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let isSpace = { (character: Character) in character == " " || character == "\t" || character == "\r" }
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }

    /// What holds in the end, as a configuration file, with where each line comes from.
    var effective: String {
        var text = ""
        let told = given + [givenPlace].compactMap { $0 }
        for definition in Self.definitions where Self.isOfFile(definition) {
            guard let last = (ofFile + told).last(where: { $0.flag == definition.flag }) else { continue }
            let origin =
                !told.contains { $0.flag == definition.flag }
                ? "the configuration file" : last.isOfEnvironment ? definition.environment ?? "" : "the command line"
            text += "# of \(origin)\n\(definition.flag.dropFirst(2)) = \(last.value ?? "true")\n"
        }
        return text
    }
}
