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
