import Glibc
import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue
import Synchronization

/// From a request to the engine, and from its result to a reply.
extension Session {
    /// Starts a request that may start now and is permitted.
    func perform(_ request: Request) {
        switch request {
        case .connect(let connect): logIn(connect)
        case .ping: ping()
        case .disconnect:
            reply(.fields(["status": "goodbye"]))
            closeAfterReplies()
        case .read(let read): self.read(read)
        case .query(let query): self.query(query)
        case .insert(let insert): self.insert(insert)
        case .insertMany(let batch): insertMany(batch)
        case .update(let update): self.update(update)
        case .delete(let delete): self.delete(delete)
        case .createDatabase(let name): createDatabase(name)
        case .dropDatabase(let name, let viaCollection): dropDatabase(name, viaCollection: viaCollection)
        case .dropCollection(let namespace): dropCollection(namespace)
        case .listCollections(let database):
            let names = shared.engine.collectionNames(database: database)
            reply { Reply.encodeNames(names, of: .collections(database: database), into: &$0) }
        case .listDatabases: listDatabases()
        case .subscribe(let subscribe): self.subscribe(subscribe)
        case .unsubscribe:
            endSubscription()
            reply { Reply.encodeUnsubscribed(into: &$0) }
        case .beginTransaction(let begin): self.begin(begin)
        case .commitTransaction(let commit): self.commit(commit)
        case .abortTransaction: abortTransaction()
        case .updateMany(let write), .deleteMany(let write): self.write(write)
        case .findAndModify(let modify): findAndModify(modify)
        case .bulkWrite(let bulk): bulkWrite(bulk)
        case .createUser(let create): createUser(create)
        case .deleteUser(let name): deleteUser(name)
        case .listUsers: listUsers()
        case .changePassword(let change): changePassword(change)
        case .updateUser(let update): updateUser(update)
        case .apiKeys(let keys): apiKeys(keys)
        case .aggregate(let aggregate): self.aggregate(aggregate)
        case .distinct(let distinct): self.distinct(distinct)
        case .backup(let directory): backUp(to: directory)
        case .compact: compact()
        case .importMongo(let request): importMongo(request)
        case .queryTOON(let query): queryTOON(query)
        case .exportTOON(let export): exportTOON(export)
        case .importTOON(let request): importTOON(request)
        case .createIndex(let create): createIndex(create)
        case .vectorSearch(let search): vectorSearch(search)
        case .buildVectorIndex(let build): buildVectorIndex(build)
        case .getVectors(let database): getVectors(database)
        case .dropIndex(let drop): dropIndex(drop)
        case .listIndexes(let namespace): listIndexes(namespace)
        case .explain(let query): explain(query)
        case .collectionStats(let namespace): collectionStats(namespace)
        case .databaseStats(let database): databaseStats(database)
        }
    }

    private func ping() {
        let uptime: Double? =
            if case .user(_, let capabilities) = login, !capabilities.isEmpty {
                (ContinuousClock.now - shared.startTime) / .seconds(1)
            } else {
                nil  // a client of 3.0 gets what it got from 3.0
            }
        reply { Reply.encodePong(timestamp: Self.secondsSince1970(), uptime: uptime, into: &$0) }
    }

    private static func secondsSince1970() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    private func listDatabases() {
        guard case .user(let user, _) = login else { return }
        let names = shared.engine.databaseNames().filter { user.may(.read, database: $0) }
        reply { Reply.encodeNames(names, of: .databases, into: &$0) }
    }

    // MARK: Reads

    private func read(_ read: Request.Read) {
        do throws(EngineError) {
            if let transaction {
                let isFound = try shared.engine.read(
                    in: transaction, database: read.namespace.database, collection: read.namespace.collection,
                    id: read.id
                ) { document in
                    reply { Reply.encodeDocument(read.namespace, document, into: &$0) }
                }
                return isFound ? () : reply(.notFound)
            }
            let isFound = try shared.engine.read(
                database: read.namespace.database, collection: read.namespace.collection, id: read.id,
                hint: &collectionHint
            ) { document in
                reply { Reply.encodeDocument(read.namespace, document, into: &$0) }
            }
            if !isFound { reply(.notFound) }
        } catch {
            reply(.failure(RequestError(error)))
        }
    }

    /// How many documents a query may look at before it moves to a worker thread.
    private static var inlineBudget: Int { 64 }
    /// How long a query that finds everything in the cache is taken further, since the way to another thread and back
    /// takes as long as a hundred documents do.
    private static var inlineTime: Duration { .microseconds(150) }

    /// Takes a query a little way in place; true when that was all of it.
    private func isDoneInPlace(_ execution: QueryExecution) throws(EngineError) -> Bool {
        if try execution.step(budget: Self.inlineBudget) == .done { return true }
        guard execution.isFoundInCache else { return false }
        let start = ContinuousClock.now
        repeat {
            if try execution.step(budget: Self.inlineBudget) == .done { return true }
        } while execution.isFoundInCache && start.duration(to: .now) < Self.inlineTime
        return false
    }

    private func query(_ query: Request.Query) {
        let execution: QueryExecution
        do throws(EngineError) {
            var options = QueryOptions(query, maximumResultBytes: shared.configuration.maximumResultBytes)
            options.transaction = transaction
            options.maximumSortBytes = shared.configuration.maximumSortBytes
            execution = try shared.engine.query(
                database: query.namespace.database, collection: query.namespace.collection, filter: query.filter,
                options: options)
            if try isDoneInPlace(execution) {
                return reply(.documents(query.namespace, PendingReply.QueryResult(execution)))
            }
        } catch {
            return reply(.failure(RequestError(error)))
        }
        runOnWorker { (control) throws(EngineError) in
            while try execution.step(budget: 4096) != .done { try control.check() }
            return .documents(query.namespace, PendingReply.QueryResult(execution))
        }
    }

    // MARK: Writes

    func durability(_ requested: Request.Durability?) -> Durability {
        switch requested {
        case .sync: .sync
        case .os: .os
        case nil: shared.configuration.durability
        }
    }

    private func insert(_ insert: Request.Insert) {
        let namespace = insert.namespace
        if let marker = CollectionMarker(insert.document) { return createCollection(namespace, marker) }
        let slot = begin(.write)
        shared.engine.insert(
            database: namespace.database, collection: namespace.collection, document: insert.document,
            durability: durability(insert.durability), isDeferred: true, transaction: transaction
        ) { [self] result in
            complete(slot, with: PendingReply(result) { .done(.inserted, namespace, id: $0) })
        }
    }

    private func insertMany(_ batch: Request.InsertMany) {
        let namespace = batch.namespace
        let slot = begin(.write)
        shared.engine.insertMany(
            database: namespace.database, collection: namespace.collection, documents: batch.documents,
            durability: durability(batch.durability), isDeferred: true, transaction: transaction
        ) { [self] result in
            complete(slot, with: PendingReply(result) { .insertedMany(namespace, ids: $0) })
        }
    }

    private func delete(_ delete: Request.Delete) {
        let slot = begin(.write)
        shared.engine.delete(
            database: delete.namespace.database, collection: delete.namespace.collection, id: delete.id,
            durability: durability(delete.durability), isDeferred: true, transaction: transaction
        ) { [self] result in
            complete(
                slot, with: PendingReply(result) { $0 ? .done(.deleted, delete.namespace, id: delete.id) : .notFound })
        }
    }

    // MARK: Catalog

    /// Existing clients create a collection by inserting a marker document. The collection is made and the
    /// marker itself is never stored, so nobody has to hide it.
    private func createCollection(_ namespace: Request.Namespace, _ marker: CollectionMarker) {
        let slot = begin(.write)
        shared.engine.createCollection(
            database: namespace.database, name: namespace.collection, vectorDimensions: marker.vectorDimensions
        ) { [self] result in
            let id = Value.string("_collection_marker")
            complete(slot, with: PendingReply(result) { _ in .done(.inserted, namespace, id: id) })
        }
    }

    private func createDatabase(_ name: String) {
        let slot = begin(.write)
        shared.engine.createDatabase(name) { [self] result in
            complete(
                slot,
                with: PendingReply(result) { _ in .fields(["database": .string(name), "message": "Database created"]) })
        }
    }

    private func dropDatabase(_ name: String, viaCollection: Bool) {
        let slot = begin(.exclusive)
        shared.engine.dropDatabase(name) { [self] result in
            if case .success = result { reactor.execute { [self] in audit("database-dropped", [("database", name)]) } }
            var fields: Document = viaCollection ? ["success": true] : [:]
            fields["database"] = .string(name)
            fields["message"] = .string("Database '\(name)' dropped successfully")
            complete(slot, with: PendingReply(result) { [fields] _ in .fields(fields) })
        }
    }

    private func dropCollection(_ namespace: Request.Namespace) {
        let slot = begin(.exclusive)
        shared.engine.dropCollection(database: namespace.database, name: namespace.collection) { [self] result in
            if case .success = result {
                let values = [("database", namespace.database), ("collection", namespace.collection)]
                reactor.execute { [self] in audit("collection-dropped", values) }
            }
            complete(
                slot,
                with: PendingReply(result) { _ in
                    .fields([
                        "database": .string(namespace.database), "collection": .string(namespace.collection),
                        "message": "Collection dropped"
                    ])
                })
        }
    }
}

extension PendingReply {
    /// The reply for a result of the engine.
    init<Success>(_ result: Result<Success, EngineError>, _ success: (Success) -> PendingReply) {
        switch result {
        case .success(let value): self = success(value)
        case .failure(let error): self = .failure(RequestError(error))
        }
    }
}

extension PendingReply.QueryResult {
    init(_ execution: QueryExecution) {
        documents = execution.takeDocuments()
        documentCount = execution.documentCount
        count = execution.count
        next = execution.next
    }
}

extension QueryOptions {
    init(_ query: Request.Query, maximumResultBytes: Int) {
        self.init()
        limit = query.limit
        skip = query.skip
        sort = query.sort
        projection = query.projection
        isCountOnly = query.isCountOnly
        self.maximumResultBytes = maximumResultBytes
        page = query.page.map { Page(documents: $0.documents, bytes: min($0.bytes, maximumResultBytes)) }
        after = query.after
        hint = query.hint
    }
}

extension RequestError {
    /// What a client is told of a failure of the engine.
    init(_ error: EngineError) {
        let code: ServerErrorCode =
            switch error.code {
            case .duplicateID: .duplicateID
            case .duplicateKey: .duplicateKey
            case .writeConflict: .writeConflict
            case .noTransaction: .noTransaction
            case .cancelled: .cancelled
            case .badRequest: .badRequest
            case .notFound: .notFound
            case .limit: .limit
            case .historyLost: .historyLost
            case .overloaded: .overloaded
            case .storage, .inUse: .storage
            case .shuttingDown: .shuttingDown
            }
        self.init(error.description, code: code)
    }
}

/// The document by which existing clients create a collection.
struct CollectionMarker {
    /// The length of the vectors that the collection takes, if the client says.
    var vectorDimensions: Int?

    /// `nil` when the document is an ordinary one.
    init?(_ document: [UInt8]) {
        // Nearly every document is ordinary and larger than a marker: two look-ups in the bytes.
        do throws(MessagePackError) {
            let raw = try RawDocument(document.span.bytes)
            let isMarker =
                raw.value(forKey: "_nexadb_collection_marker")?.head == .bool(true)
                || raw.value(forKey: "_collection_init")?.head == .bool(true)
            guard isMarker else { return nil }
            if case .int(let dimensions)? = raw.value(forKey: "_vector_dimensions")?.head {
                vectorDimensions = Int(clamping: dimensions)
            } else if case .array(let count)? = raw.value(forKey: "vector")?.head {
                vectorDimensions = count
            }
        } catch {
            return nil
        }
    }
}
