import NexaValue

/// Writes the documents of one result, one after the other, in the format of the run.
struct DocumentPrinter {
    private let console: Console
    private var count = 0
    private var buffer: [UInt8] = []

    init(_ console: Console) { self.console = console }

    private static let pretty = JSON.EncodingOptions(isPretty: true, sortsKeys: true, nonFiniteNumbers: .extendedForm)
    private static let compact = JSON.EncodingOptions(nonFiniteNumbers: .extendedForm)

    /// One document of a list.
    mutating func print(_ document: Document) throws(ShellError) {
        count += 1
        console.noteShown?(document)
        switch console.presentation.format {
        case .pretty:
            try write("\n")
            try attempt { () throws(OutputError) in try console.result("[\(count)]", .bold) }
            try Self.printPretty(.document(document), console)
        case .json:
            try write(count == 1 ? "[\n" : ",\n")
            try encode(document)
        case .ndjson:
            try encode(document)
            try write("\n")
        case .ids:
            let id = document["_id"].map(Self.idText) ?? ""
            try attempt { () throws(OutputError) in try console.result(id) }
        }
    }

    /// The end of the list.
    func finish() throws(ShellError) {
        if console.presentation.format == .json { try write(count == 0 ? "[]\n" : "\n]\n") }
    }

    private mutating func encode(_ document: Document) throws(ShellError) {
        buffer.removeAll(keepingCapacity: true)
        do throws(JSONEncodingError) {
            try JSON.append(document, to: &buffer, Self.compact)
        } catch {
            throw ShellError(error.description)
        }
        if console.presentation.coloursOutput {
            return try write(TerminalText.harmless(String(decoding: buffer, as: UTF8.self)))
        }
        try attempt { () throws(OutputError) in try console.output.write(buffer) }
    }

    private func write(_ text: String) throws(ShellError) {
        try attempt { () throws(OutputError) in try console.output.write(text) }
    }

    /// A single value: indented where the format is pretty, else on one line.
    static func printSingle(_ value: Value, _ console: Console) throws(ShellError) {
        if console.presentation.format == .pretty { return try printPretty(value, console) }
        let text = try attemptJSON(value, compact)
        try attempt { () throws(OutputError) in try console.result(text) }
    }

    /// An indented value with its keys in alphabetical order.
    static func printPretty(_ value: Value, _ console: Console) throws(ShellError) {
        let text = try attemptJSON(value, pretty)
        try attempt { () throws(OutputError) in try console.result(text, .cyan) }
    }

    private static func attemptJSON(_ value: Value, _ options: JSON.EncodingOptions) throws(ShellError) -> String {
        do throws(JSONEncodingError) {
            return try JSON.string(value, options)
        } catch {
            throw ShellError(error.description)
        }
    }

    /// An id as a person writes it: text without quotes.
    static func idText(_ value: Value) -> String {
        value.string ?? (try? JSON.string(value, compact)) ?? ""
    }
}

/// Runs something that writes output; its failure becomes the command's.
func attempt(_ body: () throws(OutputError) -> Void) throws(ShellError) {
    do throws(OutputError) {
        try body()
    } catch {
        throw ShellError(error.description, exit: .file)
    }
}
