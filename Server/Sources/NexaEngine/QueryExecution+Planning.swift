import NexaQuery
import NexaStorage
import NexaValue

extension QueryExecution {
    /// The way to find the documents. Takes the snapshot that the query looks at, if an index may be used.
    func chosenPlan() throws(EngineError) -> PlanChoice {
        guard let collection else { return PlanChoice() }
        let isIndexPlace = options.after?.first == IndexPlan.tokenMark
        if !isIndexPlace {
            // Nothing beats the documents' own keys; and a page goes on as it began.
            if case .keys = source, options.hint == nil { return PlanChoice() }
            if options.after != nil { return PlanChoice() }
        }
        // Looked at before the snapshot is taken: what is ready now is complete in it.
        var indexes = collection.queryIndexes.filter { $0.state == .ready && $0.vectors == nil }
        guard !indexes.isEmpty || options.hint != nil || isIndexPlace else { return PlanChoice() }
        let snapshot: Snapshot
        if let own = self.snapshot {
            snapshot = own
            indexes = indexes.filter { $0.readySequence <= own.sequence }
        } else {
            snapshot = try translating { () throws(StorageError) in try store.snapshot() }
            self.snapshot = snapshot
        }
        let planner = QueryPlanner(
            collection, filter, options, order: order, snapshot, indexes, isPlain: overlay.isEmpty)
        let choice = try planner.choose()
        if let plan = choice.plan, choice.after != nil, order != nil, !plan.isSorted {
            throw EngineError(.badRequest, "'after' is not a place at which a page of this query ended")
        }
        return choice
    }
}

extension Engine {
    /// Begins a query. Nothing is looked at before the first `step`, and all steps see the documents as they were then.
    ///
    /// A filter on `_id` (equality, `$in`, a range) goes straight to the documents; any other uses an index that fits,
    /// or looks at all of the collection. An unknown collection has no documents.
    /// - Throws: `.badRequest` for a filter, sort or projection that is not acceptable, `.limit` for one that is too large.
    public func query(
        database: String, collection: String, filter: Document = [:], options: QueryOptions = QueryOptions()
    ) throws(EngineError) -> QueryExecution {
        try QueryExecution(
            store, catalog.collection(database, collection), filter: filter, options: options,
            spillDirectory: temporaryDirectory, helpers: scanHelpers)
    }
}
