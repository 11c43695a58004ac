import NexaStorage
import NexaVector
import Synchronization

/// A vector index that is being built anew beside the one that is searched meanwhile.
struct VectorBuild: Sendable {
    let index: Index
    let collection: Collection
    let options: VectorOptions
    /// Gets the number of vectors, or why there is no new index.
    let completion: @Sendable (Result<Int, EngineError>) -> Void

    /// Builds; on a thread of the keeper, which helps with nothing else meanwhile.
    func run(_ engine: Engine, _ keeper: VectorKeeper) {
        guard let field = index.vectors else { return }
        let made: VectorIndex?
        do throws(EngineError) {
            made = try field.beginRebuild(options)
        } catch {
            return completion(.failure(error))
        }
        guard let made else {
            return completion(
                .failure(
                    EngineError(
                        .overloaded, "Index '\(index.name)' is being built already", advice: "Wait until that is done"))
            )
        }
        do throws(EngineError) {
            try fill(field, made, engine, keeper)
            try record(engine)
            field.finishRebuild(options)
            completion(.success(made.count))
            keeper.wake(engine)
        } catch {
            field.finishRebuild(nil)
            completion(.failure(error))
        }
    }

    private func fill(
        _ field: VectorField, _ made: VectorIndex, _ engine: Engine, _ keeper: VectorKeeper
    ) throws(EngineError) {
        let progress = index.build
        progress.scanned.store(0, ordering: .relaxed)
        progress.total.store(field.current.count, ordering: .relaxed)
        var lower = index.prefix
        var isAtEnd = false
        while !isAtEnd || made.unlinkedCount > 0 {
            guard !keeper.isClosing else { throw EngineError(.shuttingDown, "The server is shutting down") }
            guard index.state == .ready, !collection.isDropped else {
                throw EngineError(.notFound, "Index '\(index.name)' was dropped meanwhile")
            }
            if !isAtEnd { isAtEnd = try fillSome(field, engine, &lower) }
            made.link(limit: 512)
            progress.scanned.store(made.count - made.unlinkedCount, ordering: .relaxed)
        }
    }

    /// Takes some entries over; true behind the last.
    private func fillSome(
        _ field: VectorField, _ engine: Engine, _ lower: inout [UInt8]
    ) throws(EngineError) -> Bool {
        var keys: [[UInt8]] = []
        let start = lower
        try translating { () throws(StorageError) in
            var iterator = try engine.store.makeIterator(.indexes, lower: start, upper: index.range.upper)
            while keys.count < 512, try iterator.advance() { keys.append(iterator.key.withUnsafeBytes { Array($0) }) }
        }
        guard let last = keys.last else { return true }
        for key in keys {
            try field.fill(Array(key.dropFirst(DocumentKey.prefixLength))) { () throws(EngineError) in
                try translating { () throws(StorageError) in
                    try engine.store.get(.indexes, key.span.bytes) { $0.withUnsafeBytes { Array($0) } }
                }
            }
        }
        lower = last + [0]
        return false
    }

    /// Makes the next start build the graph as this one was.
    private func record(_ engine: Engine) throws(EngineError) {
        guard let field = index.vectors, field.options != options else { return }
        var definition = index.definition
        definition.vector = options
        var batch = WriteBatch()
        batch.put(
            .catalog, key: CatalogRecord.indexKey(index.number),
            value: CatalogRecord.indexValue(index, definition, isReady: true))
        let outcome = CommitWait()
        let isQueued = try engine.latches.holdingAll { () throws(EngineError) -> Bool in
            guard !collection.isDropped, index.state == .ready else { return false }
            try engine.enqueue(batch, WriteOptions(durability: .sync)) { outcome.finish($0) }
            return true
        }
        guard isQueued else { throw EngineError(.notFound, "Index '\(index.name)' was dropped meanwhile") }
        engine.store.commitPending(mayFlush: true)
        try outcome.wait()
    }
}
