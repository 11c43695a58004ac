import NexaEngine
import NexaProtocol
import NexaValue

/// Writes that find their documents by a filter, and sets of writes.
extension Session {
    /// How many documents a write may look at before it moves to a worker thread.
    private static var inlineBudget: Int { 64 }
    /// Larger documents are changed by a worker thread.
    private static var inlineDocumentBytes: Int { 64 << 10 }

    func update(_ update: Request.Update) {
        let (namespace, slot) = (update.namespace, begin(.write))
        let durability = durability(update.durability)
        let isTaken = shared.engine.update(
            database: namespace.database, collection: namespace.collection, id: update.id,
            updates: update.updates, durability: durability, isDeferred: true,
            transaction: transaction, largest: Self.inlineDocumentBytes
        ) { [self] result in
            complete(slot, with: PendingReply(result) { $0 ? .done(.updated, namespace, id: update.id) : .notFound })
        }
        guard !isTaken else { return }
        var options = WriteSetOptions()
        options.durability = durability
        options.transaction = transaction
        do throws(EngineError) {
            let execution = try shared.engine.write(
                database: namespace.database, collection: namespace.collection,
                [CollectionWrite(.id(update.id), .update(update.updates))], options: options)
            runOnWorker(answering: slot) { (control) throws(EngineError) in
                PendingReply(try execution.run(control)) {
                    $0.matched > 0 ? .done(.updated, namespace, id: update.id) : .notFound
                }
            }
        } catch {
            complete(slot, with: .failure(RequestError(error)))
        }
    }

    func write(_ request: Request.WriteOne) {
        let namespace = request.namespace
        run([CollectionWrite(request.write)], in: namespace, request.durability) { outcomes in
            PendingReply(outcomes) { .payload(Reply.Written($0).payload(namespace, document: nil)) }
        }
    }

    func findAndModify(_ request: Request.FindAndModify) {
        let namespace = request.namespace
        var write = CollectionWrite(request.write)
        write.sort = request.sort
        write.projection = request.projection
        write.returned = request.returnsAfter ? .after : .before
        run([write], in: namespace, request.durability) { outcomes in
            PendingReply(outcomes) { .payload(Reply.Written($0).payload(namespace, document: $0.document)) }
        }
    }

    func bulkWrite(_ request: Request.BulkWrite) {
        let namespace = request.namespace
        var options = WriteSetOptions()
        options.isOrdered = request.isOrdered
        options.isAtomic = request.isAtomic
        run(request.writes.map { CollectionWrite($0) }, in: namespace, request.durability, options) { outcomes in
            .payload(Reply.bulkPayload(namespace, outcomes.map { Reply.WriteOutcome($0) }))
        }
    }

    /// Makes writes: a short one here, a long one on a worker thread.
    private func run(
        _ writes: [CollectionWrite], in namespace: Request.Namespace, _ durability: Request.Durability?,
        _ options: WriteSetOptions = WriteSetOptions(),
        reply: @escaping @Sendable ([WriteOutcome]) -> PendingReply
    ) {
        var options = options
        options.durability = self.durability(durability)
        options.transaction = transaction
        let execution: WriteExecution
        do throws(EngineError) {
            execution = try shared.engine.write(
                database: namespace.database, collection: namespace.collection, writes, options: options)
        } catch {
            return self.reply(.failure(RequestError(error)))
        }
        if execution.step(budget: Self.inlineBudget, largestDocument: Self.inlineDocumentBytes) == .done {
            let slot = begin(.exclusive)
            execution.finish { [self] result in complete(slot, with: PendingReply(result, reply)) }
            return
        }
        runOnWorker { (control) throws(EngineError) in reply(try execution.run(control)) }
    }
}

extension WriteExecution {
    /// Runs to the end on a thread that may block.
    func run(_ control: WorkControl) throws(EngineError) -> [WriteOutcome] {
        repeat {
            try control.check()
            settle()
        } while step(budget: 1024) != .done
        settle()
        return try outcomesNow()
    }
}

extension PendingReply {
    /// The reply to the only write of a request.
    fileprivate init(_ outcomes: [WriteOutcome], _ done: (WriteResult) -> PendingReply) {
        switch outcomes.first {
        case .done(let result): self = done(result)
        case .failed(let error): self = .failure(RequestError(error))
        case .skipped, nil: self = .failure(RequestError("The write was not made"))
        }
    }
}

extension CollectionWrite {
    fileprivate init(_ write: Request.Write) {
        let target: Target =
            switch write.target {
            case .id(let id): .id(id)
            case .filter(let filter): .filter(filter)
            }
        let action: Action =
            switch write.action {
            case .insert(let document): .insert(document)
            case .update(let update): .update(update)
            case .replace(let document): .replace(document)
            case .delete: .delete
            }
        self.init(target, action)
        isMany = write.isMany
        isUpsert = write.isUpsert
        arrayFilters = write.arrayFilters
    }
}

extension Reply.Written {
    fileprivate init(_ result: WriteResult) {
        self.init(
            matched: result.matched, modified: result.modified, deleted: result.deleted,
            insertedID: result.insertedID)
    }
}

extension Reply.WriteOutcome {
    fileprivate init(_ outcome: WriteOutcome) {
        switch outcome {
        case .done(let result): self = .done(Reply.Written(result))
        case .failed(let error): self = .failed(RequestError(error))
        case .skipped: self = .skipped
        }
    }
}
