import NexaClient
import NexaValue

/// The commands that create, find and change documents.
extension Session {
    /// How many documents `query` shows when nobody says otherwise, as the original did.
    static let defaultLimit = 100

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
    func acknowledge(_ verb: String, _ id: String, _ message: String) throws(ShellError) {
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
        }
        if console.presentation.format != .pretty {
            try print(rows: result.ids.map { [.string($0.rawValue)] }, columns: ["document_id"])
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
        try print(document: found)
    }

    func query(_ arguments: ArgumentReader) async throws(ShellError) {
        let collection = try collection()
        var request = try parse { () throws(CommandFault) in
            try QueryArguments(arguments, defaultLimit: settings.limit ?? Self.defaultLimit)
        }
        if request.fields.isEmpty { request.fields = console.presentation.shape.fields }
        try await showPage(of: collection.name, request)
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
