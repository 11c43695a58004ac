public import NexaValue

extension AggregationExecution {
    /// Carries out what feeds the pipeline, the query or the vector search at its front, and returns how. The stages
    /// behind are not carried out, so that nothing is written.
    ///
    /// A query is explained as by `QueryExecution`. For `$vectorSearch` the `winning_plan` is the plan of the search, with
    /// `VECTOR_INDEX` (a walk through the graph), `VECTOR_SCAN` (all vectors of the index), `DOCUMENT_SCAN` (the
    /// documents that the filter means) or `EOF` as its stage. `stages` names the stages behind.
    ///
    /// - Parameter check: asked now and then; throws to end the work.
    /// - Throws: as `step`.
    public func explain(_ check: () throws(EngineError) -> Void = {}) throws(EngineError) -> Document {
        var explanation: Document
        if let vectorSearch { explanation = try vectorSearch.explain() } else { explanation = try explainQuery(check) }
        explanation["stages"] = .array(laterStages.compactMap { $0.first.map { .string($0.key) } })
        return explanation
    }

    private func explainQuery(_ check: () throws(EngineError) -> Void) throws(EngineError) -> Document {
        query.sink = { _ in true }
        while try query.step(budget: 1024) == .more { try check() }
        return query.explanation
    }
}

extension PendingVectorSearch {
    /// Searches, and returns how.
    fileprivate func explain() throws(EngineError) -> Document {
        let start = ContinuousClock.now
        let result = try source.run(environment, collection: collection)
        let elapsed = (ContinuousClock.now - start).components
        return [
            "winning_plan": .document(result.plan.isEmpty ? ["stage": "EOF"] : result.plan),
            "rejected_plans": [],
            "execution": [
                "returned": .int(Int64(result.hits.count)), "keys_examined": 0,
                "documents_examined": .int(result.plan["documents_examined"]?.int ?? Int64(result.hits.count)),
                "milliseconds": .double(Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15)
            ]
        ]
    }
}
