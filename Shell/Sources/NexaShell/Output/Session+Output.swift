import NexaClient
import NexaValue

/// How commands show results. Everything that is data goes through here, so that every format, `--fields`, `\o`, the
/// pager and `\last` work for every command.
///
/// - Documents of the database: `print(documents:)`, or `printFound` when there may be many.
/// - What a command makes up itself (indexes, users, names): `print(rows:columns:)`. People see a table, programs an
///   object for each row.
/// - One document: `print(document:)`; a reply, which `--fields` does not touch: `DocumentPrinter.printSingle`.
/// - A result that is mixed with other work: `printer()`, then `print` for each document and `finish` at the end, also
///   when it breaks off.
///
/// Head lines (`✓ Found 3 document(s):`) are talk, not data: write them with `show`, before the result, and only if
/// `console.presentation.isClassic`.
extension Session {
    /// A printer for a result of documents.
    ///
    /// - Parameters:
    ///   - fields: the paths that the command's own `--fields` asked for; empty: the option of the program, or all.
    ///   - isProjected: whether the server left all other fields out.
    ///   - firstNumber: the number of the first document, where documents are numbered (`[1]`).
    func printer(fields: [String] = [], isProjected: Bool = false, firstNumber: Int = 1) -> DocumentPrinter {
        DocumentPrinter(
            console, columns: fields.isEmpty ? .discovered : .paths(fields), isProjected: isProjected,
            collection: location.collection, firstNumber: firstNumber)
    }

    /// Prints documents that are at hand.
    func print(documents: some Sequence<Document>, fields: [String] = []) throws(ShellError) {
        var printer = printer(fields: fields)
        for document in documents {
            try checkCancellation()
            try printer.print(document)
        }
        try printer.finish()
        documentCount = printer.count
    }

    /// Prints rows that the command made: a table for people (and in `pretty`), an object for each row in JSON formats,
    /// the first column in `ids`.
    ///
    /// - Parameters:
    ///   - rows: the values, one for each column; a missing one at the end is left out of JSON.
    ///   - columns: the names, which are the keys in JSON: lower case, words joined by `_`.
    func print(rows: some Sequence<[Value]>, columns: [String]) throws(ShellError) {
        var printer = DocumentPrinter(console, .rows, columns: .keys(columns))
        for row in rows {
            try checkCancellation()
            try printer.print(Document(zip(columns, row)))
        }
        try printer.finish()
        documentCount = printer.count
    }

    /// Prints one document of the database: indented in `pretty`, else as a result of one.
    func print(document: Document) throws(ShellError) {
        try DocumentPrinter.printSingle(.document(document), console, isDocument: true)
    }

    /// Ends a loop that nobody waits for any more.
    func checkCancellation() throws(ShellError) {
        if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
    }
}
