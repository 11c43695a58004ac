import NexaClient
import NexaValue

/// A query, and how much of its result was shown: `it` goes on from there.
struct QueryPage: Sendable {
    let database: String
    let collection: String
    let request: QueryArguments
    var shown = 0
    /// Whether there was a document beyond the last page.
    var hasMore = true
}

/// `query` and `it`: pages of documents.
extension Session {
    /// Shows the first page of a query.
    func showPage(of collection: String, _ request: QueryArguments) async throws(ShellError) {
        try await show(QueryPage(database: location.database, collection: collection, request: request))
    }

    /// Shows the next page of the last query.
    func showNextPage() async throws(ShellError) {
        guard let page = lastPage else { throw .plain("No query yet", hint: "it shows the next page of a query") }
        guard page.hasMore else {
            return try show { (console) throws(OutputError) in try console.warning("No more documents") }
        }
        try await show(page)
    }

    private func show(_ page: QueryPage) async throws(ShellError) {
        var page = page
        var request = page.request
        let skip = request.skip.addingReportingOverflow(page.shown)
        request.skip = skip.overflow ? .max : skip.partialValue
        // One document more than is shown tells whether there is another page.
        let query = request.apply(to: database(page.database).collection(page.collection), extra: 1)
        let result = try await printFound(
            query, fields: request.fields, isProjected: true, limit: request.limit > 0 ? request.limit : .max,
            after: page.shown)
        page.shown += result.count
        page.hasMore = result.hasMore
        lastPage = page
    }

    /// Prints documents as they come: the first at once, and memory holds a bounded number of them. The lines of the
    /// original stand around them where those are wanted: how many there are above, and what the limit cut below.
    ///
    /// A failure in the middle closes what was begun (a JSON array), then it is thrown.
    /// - Parameters:
    ///   - isProjected: whether the documents have only those `fields`, because the server left the others out.
    ///   - limit: ends the result after so many documents; `.max`: never.
    ///   - shown: how many documents of the same result were shown before.
    /// - Returns: how many were printed, and whether there was one more.
    @discardableResult
    func printFound<Documents: AsyncSequence>(
        _ documents: Documents, fields: [String] = [], isProjected: Bool = false, limit: Int, after shown: Int = 0
    ) async throws(ShellError) -> (count: Int, hasMore: Bool)
    where Documents.Element == Document, Documents.Failure == NexaError {
        let printer = printer(fields: fields, isProjected: isProjected, firstNumber: shown + 1)
        var list = FoundList(console: console, isNext: shown > 0, printer: printer)
        var iterator = documents.makeAsyncIterator()
        var hasMore = false
        do {
            while let document = try await call({ () async throws(NexaError) in
                try await iterator.next(isolation: self)
            }) {
                try checkCancellation()
                if list.count == limit {
                    hasMore = true
                    break
                }
                try list.add(document)
            }
        } catch {
            try list.breakOff()
            throw error
        }
        try list.finish()
        documentCount = list.count
        if hasMore { try tellCut(limit, canGoOn: isProjected) }
        return (list.count, hasMore)
    }

    private func tellCut(_ limit: Int, canGoOn: Bool) throws(ShellError) {
        guard console.presentation.mode != .classicScript else { return }
        let rest =
            canGoOn && console.presentation.mode == .interactive
            ? "'it' shows more, --limit 0 all" : "--limit N shows more, --limit 0 all"
        try show { (console) throws(OutputError) in
            try console.warning("Only the first \(limit) documents are shown; \(rest)")
        }
    }
}

/// A list of documents with the lines of the original around it, where those are wanted.
private struct FoundList {
    /// The head line counts the list, so that many documents at most are collected first; a longer list is counted when it
    /// has been shown.
    private static let maximumCounted = 1000

    private let console: Console
    private let isNext: Bool
    private let isClassic: Bool
    private var printer: DocumentPrinter
    /// The documents that wait for the head line; `nil` once documents are printed as they come.
    private var waiting: [Document]?
    /// How many documents the list has.
    private(set) var count = 0

    init(console: Console, isNext: Bool, printer: DocumentPrinter) {
        self.console = console
        self.isNext = isNext
        self.printer = printer
        isClassic = console.presentation.isClassic
        waiting = isClassic ? [] : nil
    }

    mutating func add(_ document: Document) throws(ShellError) {
        count += 1
        waiting?.append(document)
        guard waiting != nil else { return try printer.print(document) }
        if count > Self.maximumCounted { try printWaiting() }
    }

    private mutating func printWaiting() throws(ShellError) {
        let documents = waiting ?? []
        waiting = nil
        for document in documents { try printer.print(document) }
    }

    /// The end of the list.
    mutating func finish() throws(ShellError) {
        if waiting != nil {
            try tellCount()
            try printWaiting()
            try printer.finish()
        } else {
            try printer.finish()
            if isClassic { try tellCount() }
        }
    }

    /// The list broke off: what was begun is closed, what waits for its number is not shown.
    mutating func breakOff() throws(ShellError) {
        if waiting == nil { try printer.finish() }
    }

    private func tellCount() throws(ShellError) {
        try attempt { () throws(OutputError) in
            if count == 0 {
                try console.warning(isNext ? "No more documents" : "No documents found")
            } else {
                try console.success("Found \(count) document(s)\(waiting == nil ? "" : ":")")
            }
        }
    }
}
