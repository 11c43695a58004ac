import NexaEngine
import NexaProtocol
import NexaValue

/// Indexes, how queries use them, and how much there is.
extension Session {
    func createIndex(_ create: Request.CreateIndex) {
        let namespace = create.namespace
        let definition: IndexDefinition
        do throws(EngineError) {
            definition = try IndexDefinition(create.definition)
        } catch {
            return reply(.failure(RequestError(error)))
        }
        let slot = begin(.exclusive)
        shared.engine.createIndex(
            database: namespace.database, collection: namespace.collection, definition: definition
        ) { [self] result in
            complete(slot, with: PendingReply(result) { .fields(["index": .document($0.fields)]) })
        }
    }

    func dropIndex(_ drop: Request.DropIndex) {
        let slot = begin(.exclusive)
        shared.engine.dropIndex(
            database: drop.namespace.database, collection: drop.namespace.collection, index: drop.name
        ) { [self] result in
            complete(
                slot,
                with: PendingReply(result) { _ in .fields(["index": .string(drop.name), "message": "Index dropped"]) })
        }
    }

    func listIndexes(_ namespace: Request.Namespace) {
        let indexes = shared.engine.indexes(database: namespace.database, collection: namespace.collection)
        reply(.fields(["indexes": .array(indexes.map { .document($0.fields) })]))
    }

    func explain(_ query: Request.Query) {
        let execution: QueryExecution
        do throws(EngineError) {
            var options = QueryOptions(query, maximumResultBytes: shared.configuration.maximumResultBytes)
            options.transaction = transaction
            execution = try shared.engine.query(
                database: query.namespace.database, collection: query.namespace.collection, filter: query.filter,
                options: options)
        } catch {
            return reply(.failure(RequestError(error)))
        }
        runOnWorker { (control) throws(EngineError) in
            while try execution.step(budget: 1024) != .done {
                try control.check()
                _ = execution.takeDocuments()
            }
            return .fields(["plan": .document(execution.explanation)])
        }
    }

    func collectionStats(_ namespace: Request.Namespace) {
        let engine = shared.engine
        runOnWorker { (control) throws(EngineError) in
            let statistics = try engine.statistics(database: namespace.database, collection: namespace.collection) {
                () throws(EngineError) in try control.check()
            }
            return .fields(["statistics": .document(statistics.fields)])
        }
    }

    func databaseStats(_ database: String) {
        let engine = shared.engine
        runOnWorker { (control) throws(EngineError) in
            let statistics = try engine.statistics(database: database) { () throws(EngineError) in try control.check() }
            return .fields(["statistics": .document(statistics.fields)])
        }
    }
}

extension IndexStatus {
    /// As a client gets it.
    fileprivate var fields: Document {
        var fields = definition.document
        fields["state"] = .string(state.rawValue)
        fields["scanned"] = .int(Int64(scanned))
        fields["total"] = .int(Int64(total))
        if let failure {
            fields["error"] = .string(failure.description)
            fields["code"] = .string(RequestError(failure).code.rawValue)
        }
        return fields
    }
}
