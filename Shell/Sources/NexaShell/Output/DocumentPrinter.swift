import NexaValue

/// Writes the documents of one result, one after the other, in the format of the moment.
///
/// Commands get theirs from `Session.printer`, or use `Session.print`, which also sees to the end of a result.
struct DocumentPrinter {
    private let console: Console
    private let writer: any ResultWriter
    private let keepsResult: Bool
    /// How many documents were printed.
    private(set) var count = 0
    private var lastFlush = 0.0

    /// - Parameters:
    ///   - kind: rows become a table where documents would be indented JSON.
    ///   - columns: what is shown of each document; the option `--fields` when nothing is said.
    ///   - isProjected: whether the documents have no other fields than those, because the server left them out.
    ///   - collection: where the documents are from.
    ///   - firstNumber: the number of the first document, where documents are numbered.
    ///   - format: another format than that of the moment.
    ///   - keepsResult: whether `\last` can show the documents again.
    init(
        _ console: Console, _ kind: ResultKind = .documents, columns: ResultColumns = .discovered,
        isProjected: Bool = false, collection: String? = nil, firstNumber: Int = 1, format: OutputFormat? = nil,
        keepsResult: Bool = true
    ) {
        self.console = console
        var style = Self.style(console, columns, firstNumber)
        style.isProjected = isProjected
        style.collection = collection
        if format != nil, format != .pretty { style.expansion = .off }
        writer = style.writer(format ?? console.presentation.format, kind)
        self.keepsResult = keepsResult
        if keepsResult { console.state.last.begin(kind, columns) }
    }

    private static func style(_ console: Console, _ columns: ResultColumns, _ firstNumber: Int) -> ResultStyle {
        let presentation = console.presentation
        var style = ResultStyle(target: console.target, shape: presentation.shape, columns: columns)
        if columns == .discovered, !presentation.shape.fields.isEmpty {
            style.columns = .paths(presentation.shape.fields)
        }
        style.expansion = presentation.expansion ?? (presentation.isFormatNamed ? .off : .auto)
        style.firstNumber = firstNumber
        let target = style.target
        style.aside = { (text) throws(ShellError) in
            guard !presentation.isQuiet else { return }
            try attempt { () throws(OutputError) in try OutputTarget(sink: console.errors).line(text) }
        }
        style.remark = { (text) throws(ShellError) in
            try attempt { () throws(OutputError) in
                // On a screen it belongs to what is shown; among data it has no place.
                if target.screen == .none {
                    try OutputTarget(sink: console.errors).line("⚠ " + text)
                } else {
                    try target.line(text, .yellow)
                }
            }
        }
        return style
    }

    /// One document of the result.
    mutating func print(_ document: Document) throws(ShellError) {
        count += 1
        console.noteShown?(document)
        if keepsResult { console.state.last.add(document) }
        try writer.write(document)
        // The first one is seen at once, the others without long delays, however slowly they come.
        let now = Clock.now
        guard now - lastFlush > 0.02, console.state.page == nil else { return }
        lastFlush = now
        try attempt { () throws(OutputError) in try console.output.flush() }
    }

    /// The end of the result. Call it also when the result broke off.
    func finish() throws(ShellError) { try writer.finish() }

    /// A single value: indented where the format is pretty, a result of one document in the other formats. What is no
    /// document stands on a line of JSON. `--fields` chooses from `isDocument`s only, not from replies.
    static func printSingle(_ value: Value, _ console: Console, isDocument: Bool = false) throws(ShellError) {
        let presentation = console.presentation
        if isDocument, let document = value.document {
            console.state.last.begin(.documents, .discovered)
            console.state.last.add(document)
        }
        switch (presentation.format, value) {
        case (.pretty, _) where presentation.expansion != .on:
            let style = style(console, isDocument ? .discovered : .keys([]), 1)
            var text: [UInt8] = []
            try appendJSON(projected(value, style), to: &text, style.encoding(isPretty: true, sortsKeys: true))
            try attempt { () throws(OutputError) in
                try style.target.json(String(decoding: text, as: UTF8.self))
            }
        case (.pretty, .document(let document)), (.table, .document(let document)),
            (.vertical, .document(let document)), (.csv, .document(let document)), (.tsv, .document(let document)),
            (.toon, .document(let document)), (.ids, .document(let document)):
            var printer = DocumentPrinter(
                console, columns: isDocument ? .discovered : .keys(document.keys), keepsResult: false)
            try printer.print(document)
            try printer.finish()
        default:
            let style = style(console, isDocument ? .discovered : .keys([]), 1)
            var text: [UInt8] = []
            try appendJSON(projected(value, style), to: &text, style.encoding())
            text.append(0x0A)
            try style.send(text)
        }
    }

    private static func projected(_ value: Value, _ style: ResultStyle) -> Value {
        value.document.map { .document(style.projected($0)) } ?? value
    }

    /// An indented value with its keys in alphabetical order.
    static func printPretty(_ value: Value, _ console: Console) throws(ShellError) {
        var text: [UInt8] = []
        try appendJSON(value, to: &text, style(console, .keys([]), 1).encoding(isPretty: true, sortsKeys: true))
        try attempt { () throws(OutputError) in try console.target.json(String(decoding: text, as: UTF8.self)) }
    }

    /// An id as a person writes it: text without quotes.
    static func idText(_ value: Value) -> String {
        value.string ?? (try? JSON.string(value, JSON.EncodingOptions(nonFiniteNumbers: .extendedForm))) ?? ""
    }
}

/// Runs something that writes output; its failure becomes the command's.
func attempt(_ body: () throws(OutputError) -> Void) throws(ShellError) {
    do throws(OutputError) {
        try body()
    } catch {
        var failure = ShellError(error.description, exit: .file)
        failure.isSilent = error.isReaderGone
        throw failure
    }
}
