import NexaValue

/// What the comparison must know of one system: how its requests are encoded and how its replies are read.
protocol WireProtocol: Sendable {
    associatedtype Scanner: ReplyScanner

    /// The heading of the system's column.
    var name: String { get }
    /// How numbers stand in a request.
    var numberForm: RequestTemplates.NumberForm { get }
    /// Whether an update carries the changed document instead of the change alone.
    var updateCarriesDocument: Bool { get }

    /// Opens the session.
    ///
    /// - Returns: the version of the server.
    func begin(_ connection: Connection<Scanner>) throws(BenchmarkError) -> String

    /// Creates what the films and the inserted documents go into.
    func createCollections(_ control: Connection<Scanner>) throws(BenchmarkError)

    /// Removes the inserted documents.
    func removeInserted(_ control: Connection<Scanner>) throws(BenchmarkError)

    /// The number of inserted documents that are there.
    func countInserted(_ control: Connection<Scanner>) throws(BenchmarkError) -> Int

    /// Waits until work that the server does on its own after so much loading or removing is over.
    func settle(_ control: Connection<Scanner>) throws(BenchmarkError)

    /// Prepares the server for an operation, e.g. how durable writes are.
    func prepareServer(_ control: Connection<Scanner>, for operation: Operation) throws(BenchmarkError)

    /// Prepares one connection for an operation.
    func prepare(_ connection: Connection<Scanner>, for operation: Operation) throws(BenchmarkError)

    /// One request, with the placeholders of `RequestTemplates`; `nil` when the system does not offer it.
    func request(_ operation: Operation, film: Document, year: Int64) throws(BenchmarkError) -> [UInt8]?

    /// The document in the reply to a read.
    func document(inReply reply: [UInt8]) throws(BenchmarkError) -> Document

    /// The number of documents in the reply to a query.
    func documentCount(inReply reply: [UInt8]) throws(BenchmarkError) -> Int
}

extension WireProtocol {
    func settle(_ control: Connection<Scanner>) throws(BenchmarkError) {}
    func prepareServer(_ control: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {}
    func prepare(_ connection: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {}

    /// The templates of an operation; `nil` when the system does not offer it.
    func templates(_ operation: Operation, _ movies: Movies) throws(BenchmarkError) -> RequestTemplates? {
        let films = movies.documents
        let isPerFilm: Bool
        let order: RequestTemplates.Order
        switch operation {
        case .load, .insertOS, .insertSync: (isPerFilm, order) = (true, .sequential)
        case .updateOS, .updateSync: (isPerFilm, order) = (updateCarriesDocument, .random(below: films.count))
        case .read: (isPerFilm, order) = (false, .random(below: films.count))
        case .query: (isPerFilm, order) = (false, .random(below: movies.years.count))
        }
        var templates = RequestTemplates(order: order, numberForm: numberForm)
        if operation == .query {
            for (year, _) in movies.years {
                guard let request = try request(operation, film: [:], year: year) else { return nil }
                templates.add(request)
            }
            return templates
        }
        for film in isPerFilm ? films[...] : films.prefix(1) {
            guard let request = try request(operation, film: film, year: 0) else { return nil }
            templates.add(request)
        }
        return templates
    }
}

/// The compact text of a document.
func compactJSON(_ document: Document) throws(BenchmarkError) -> [UInt8] {
    do throws(JSONEncodingError) {
        return try JSON.encode(document)
    } catch {
        throw BenchmarkError("\(error)")
    }
}

/// The document of a text.
func document(fromJSON bytes: some Collection<UInt8>) throws(BenchmarkError) -> Document {
    do throws(JSONError) {
        return try JSON.decodeDocument(Array(bytes))
    } catch {
        throw BenchmarkError("the stored document is not JSON: \(error)")
    }
}
