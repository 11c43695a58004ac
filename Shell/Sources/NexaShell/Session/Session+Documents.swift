import NexaClient
import NexaValue

/// The commands that create, find and change documents.
extension Session {
    /// How many documents `query` shows when nobody says otherwise, as the original did.
    static let defaultLimit = 100
    /// A list with a head line is collected first, because the head counts it; this many at most.
    private static let maximumCounted = 1_000_000

    // MARK: Create

    func create(_ arguments: ArgumentReader) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        guard !arguments.isAtEnd() else { throw .plain("JSON data required") }
        let document = try document(&arguments)
        let id = try await call { () async throws(NexaError) in try await collection.insert(document) }
        try acknowledge("created", id.rawValue, "Document inserted")
    }

    /// The `✓` line of a change, and the server's reply.
    private func acknowledge(_ verb: String, _ id: String, _ message: String) throws(ShellError) {
        try show { (console) throws(OutputError) in try console.success("Document \(verb): \(id)") }
        let reply: Document = [
            "collection": .string(location.collection ?? ""), "database": .string(location.database),
            "document_id": .string(id), "message": .string(message)
        ]
        switch console.presentation.format {
        case .ids: try show { (console) throws(OutputError) in try console.result(id) }
        case .pretty where console.presentation.isQuiet: break
        default: try DocumentPrinter.printSingle(.document(reply), console)
        }
    }

    func insertMany(_ arguments: ArgumentReader) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        guard !arguments.isAtEnd() else { throw .plain("JSON data required") }
        let offset = arguments.offset()
        let value = try parse { () throws(CommandFault) in try arguments.remainingJSON() }
        guard case .array(let values) = value else {
            throw ShellError(CommandFault("expected an array of documents", at: offset))
        }
        var documents: [Document] = []
        for value in values {
            guard case .document(let document) = value else {
                throw ShellError(CommandFault("expected an array of documents, not of \(value.kindName)s", at: offset))
            }
            documents.append(document)
        }
        let batch = documents
        let result = try await call { () async throws(NexaError) in try await collection.insert(contentsOf: batch) }
        try show { (console) throws(OutputError) in
            if result.firstError == nil || result.succeeded > 0 {
                try console.success("Created \(result.succeeded) document(s)")
            }
            for id in result.ids where console.presentation.format != .pretty {
                try console.result(
                    console.presentation.format == .ids
                        ? id.rawValue : (try? JSON.string(.document(["document_id": .string(id.rawValue)]))) ?? "")
            }
        }
        if let error = result.firstError { throw ShellError(error) }
    }

    // MARK: Read

    func read(_ arguments: ArgumentReader, _ command: CommandSpecification) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        let id = try id(&arguments, command)
        let found = try await call { () async throws(NexaError) in try await collection.read(id) }
        guard let found else { throw .plain("Not found") }
        console.noteShown?(found)
        if console.presentation.format == .ids {
            return try show { (console) throws(OutputError) in
                try console.result(found["_id"].map(DocumentPrinter.idText) ?? id.rawValue)
            }
        }
        try DocumentPrinter.printSingle(.document(found), console)
    }

    func query(_ arguments: ArgumentReader) async throws(ShellError) {
        let collection = try collection()
        let request = try parse { () throws(CommandFault) in
            try QueryArguments(arguments, defaultLimit: settings.limit ?? Self.defaultLimit)
        }
        // One more than is shown tells whether the limit cut.
        let query = request.apply(to: collection, extra: 1)
        if console.presentation.isClassic {
            try await printCounted(query, request)
        } else {
            try await printStreamed(query, request)
        }
    }

    private func printCounted(_ query: NexaQuery<Document>, _ request: QueryArguments) async throws(ShellError) {
        var documents = try await call { () async throws(NexaError) in
            try await query.collect(upTo: Self.maximumCounted)
        }
        let isCut = request.limit > 0 && documents.count > request.limit
        if isCut { documents.removeLast() }
        documentCount = documents.count
        if documents.isEmpty {
            return try show { (console) throws(OutputError) in try console.warning("No documents found") }
        }
        try show { (console) throws(OutputError) in try console.success("Found \(documents.count) document(s):") }
        var printer = DocumentPrinter(console)
        for document in documents {
            if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
            try printer.print(document)
        }
        if isCut { try tellCut(request.limit) }
    }

    private func printStreamed(_ query: NexaQuery<Document>, _ request: QueryArguments) async throws(ShellError) {
        var printer = DocumentPrinter(console)
        var iterator = query.makeAsyncIterator()
        var count = 0
        var isCut = false
        do {
            while let document = try await call({ () async throws(NexaError) in try await iterator.next() }) {
                if request.limit > 0, count == request.limit {
                    isCut = true
                    break
                }
                count += 1
                try printer.print(document)
            }
        } catch {
            try printer.finish()  // a JSON array is closed also when the query broke off
            throw error
        }
        documentCount = count
        try printer.finish()
        if isCut { try tellCut(request.limit) }
    }

    private func tellCut(_ limit: Int) throws(ShellError) {
        guard console.presentation.mode != .classicScript else { return }
        try show { (console) throws(OutputError) in
            try console.warning("Only the first \(limit) documents are shown; --limit N shows more, --limit 0 all")
        }
    }

    func count(_ arguments: ArgumentReader) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        let filter = arguments.isAtEnd() ? Document() : try document(&arguments)
        let count = try await call { () async throws(NexaError) in try await collection.count(Filter(filter)) }
        documentCount = count
        try show { (console) throws(OutputError) in
            if console.presentation.isClassic {
                try console.success("Document count: \(count)")
            } else {
                try console.result("\(count)")
            }
        }
    }

    func vectorSearch(_ arguments: ArgumentReader, _ command: CommandSpecification) throws(ShellError) {
        _ = try collection()
        var arguments = arguments
        guard !arguments.isAtEnd() else { throw .plain("Vector required", hint: "Usage: \(command.usage)") }
        throw ShellError("vector_search is not supported by this version")
    }

    // MARK: Change

    func update(_ arguments: ArgumentReader, _ command: CommandSpecification) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        let word = try parse { () throws(CommandFault) in try arguments.word() }
        guard let word, !arguments.isAtEnd() else {
            throw .plain("Document ID and JSON data required", hint: "Usage: \(command.usage)")
        }
        let fields = try document(&arguments)
        let wasFound = try await call { () async throws(NexaError) in
            try await collection.update(DocumentID(word), set: fields)
        }
        guard wasFound else { throw ShellError("Not found") }
        try acknowledge("updated", word, "Document updated")
    }

    func delete(_ arguments: ArgumentReader, _ command: CommandSpecification) async throws(ShellError) {
        let collection = try collection()
        var arguments = arguments
        let id = try id(&arguments, command)
        let wasFound = try await call { () async throws(NexaError) in try await collection.delete(id) }
        guard wasFound else { throw ShellError("Not found") }
        try show { (console) throws(OutputError) in
            try console.success("Document deleted: \(id.rawValue)")
            if console.presentation.format == .ids { try console.result(id.rawValue) }
        }
    }

    // MARK: Arguments

    private func id(
        _ arguments: inout ArgumentReader, _ command: CommandSpecification
    ) throws(ShellError) -> DocumentID {
        let word: String?
        do throws(CommandFault) {
            word = try arguments.word()
        } catch {
            throw ShellError(error)
        }
        guard let word else { throw .plain("Document ID required", hint: "Usage: \(command.usage)") }
        return DocumentID(word)
    }

    private func document(_ arguments: inout ArgumentReader) throws(ShellError) -> Document {
        do throws(CommandFault) {
            let offset = arguments.offset()
            guard case .document(let document) = try arguments.remainingJSON() else {
                throw CommandFault("expected a JSON object", at: offset)
            }
            return document
        } catch {
            throw ShellError(error)
        }
    }
}
