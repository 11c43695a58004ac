import NexaClient
import NexaValue

/// A query, and how much of its result was shown: `it` goes on from there.
struct QueryPage: Sendable {
    let collection: NexaCollection<Document>
    let request: QueryArguments
    var shown = 0
    /// Whether there was a document beyond the last page.
    var hasMore = true

    /// The query of the next page, with one document more than is shown: it tells whether there is another page.
    var query: NexaQuery<Document> {
        var next = request
        next.skip = request.skip.addingReportingOverflow(shown).overflow ? .max : request.skip + shown
        return next.apply(to: collection, extra: 1)
    }

    /// The most documents that a page shows.
    var limit: Int { request.limit > 0 ? request.limit : .max }
}

/// `query` and `it`: pages of documents.
extension Session {
    /// The head line of a list counts it, so that many documents at most are collected first; a longer list is counted
    /// when it has been shown.
    private static let maximumCounted = 1000

    /// Shows the first page of a query.
    func showPage(of collection: NexaCollection<Document>, _ request: QueryArguments) async throws(ShellError) {
        try await show(QueryPage(collection: collection, request: request))
    }

    /// Shows the next page of the last query.
    func showNextPage() async throws(ShellError) {
        guard let page = lastPage else { throw .plain("No query yet", hint: "it shows the next page of a query") }
        guard page.hasMore else {
            return try show { (console) throws(OutputError) in try console.warning("No more documents") }
        }
        try await show(page)
    }

    private func show(_ next: QueryPage) async throws(ShellError) {
        var page = next
        let fields = page.request.fields
        var iterator = page.query.makeAsyncIterator()
        let isClassic = console.presentation.isClassic
        var printer: DocumentPrinter?
        var waiting: [Document] = []
        var failure: ShellError?
        var count = 0
        page.hasMore = false
        do {
            while let document = try await call({ () async throws(NexaError) in
                try await iterator.next()
            }) {
                try checkCancellation()
                if count == page.limit {
                    page.hasMore = true
                    break
                }
                count += 1
                if isClassic, printer == nil {
                    waiting.append(document)
                    guard waiting.count > Self.maximumCounted else { continue }
                    printer = try print(&waiting, fields, after: page.shown)
                } else {
                    if printer == nil {
                        printer = self.printer(fields: fields, isProjected: true, firstNumber: page.shown + 1)
                    }
                    try printer?.print(document)
                }
            }
        } catch {
            failure = error
        }
        if printer == nil, failure == nil || !isClassic {
            if isClassic { try tellFound(count, isNext: page.shown > 0) }
            if !isClassic || count > 0 { printer = try print(&waiting, fields, after: page.shown) }
        } else if isClassic, failure == nil {
            try tellFound(count, isNext: page.shown > 0)
        }
        try printer?.finish()
        if let failure { throw failure }
        page.shown += count
        documentCount = count
        lastPage = page
        if page.hasMore { try tellCut(page.request.limit) }
    }

    private func print(
        _ waiting: inout [Document], _ fields: [String], after shown: Int
    ) throws(ShellError) -> DocumentPrinter {
        var printer = printer(fields: fields, isProjected: true, firstNumber: shown + 1)
        for document in waiting { try printer.print(document) }
        waiting = []
        return printer
    }

    private func tellFound(_ count: Int, isNext: Bool) throws(ShellError) {
        try show { (console) throws(OutputError) in
            if count == 0 {
                try console.warning(isNext ? "No more documents" : "No documents found")
            } else {
                try console.success("Found \(count) document(s)\(count > Self.maximumCounted ? "" : ":")")
            }
        }
    }

    func tellCut(_ limit: Int) throws(ShellError) {
        guard console.presentation.mode != .classicScript else { return }
        let goesOn = console.presentation.mode == .interactive ? "'it' shows the next ones, " : ""
        try show { (console) throws(OutputError) in
            try console.warning("Only the first \(limit) documents are shown; \(goesOn)--limit N shows more, --all all")
        }
    }
}
