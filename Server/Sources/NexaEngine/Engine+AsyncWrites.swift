public import NexaValue

/// The writes by filter for programs that embed the engine.
extension Engine {
    /// Makes writes to a collection and returns what became of each; see `write(database:collection:_:options:)`.
    @discardableResult
    public func write(
        _ writes: [CollectionWrite], database: String = "default", collection: String,
        options: WriteSetOptions = WriteSetOptions()
    ) async throws(EngineError) -> [WriteOutcome] {
        let execution = try write(database: database, collection: collection, writes, options: options)
        while execution.step(budget: 4096) == .more {
            flushPending()
            await withCheckedContinuation { continuation in execution.whenSettled { continuation.resume() } }
            let pause = execution.pauseMicroseconds()
            // Without the pause, when the task is cancelled, it is tried again at once.
            if pause > 0 { try? await Task.sleep(for: .microseconds(pause)) }
        }
        flushPending()
        let result = await withCheckedContinuation { continuation in
            execution.finish { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Makes one write to a collection.
    @discardableResult
    public func write(
        _ write: CollectionWrite, database: String = "default", collection: String,
        options: WriteSetOptions = WriteSetOptions()
    ) async throws(EngineError) -> WriteResult {
        switch try await self.write([write], database: database, collection: collection, options: options)[0] {
        case .done(let result): return result
        case .failed(let error): throw error
        case .skipped: return WriteResult()
        }
    }
}

extension CollectionWrite {
    /// Creates an update with operators of the documents that fulfil a filter.
    public static func update(
        _ filter: Document, _ update: Document, isMany: Bool = false, isUpsert: Bool = false,
        arrayFilters: [Document] = []
    ) -> CollectionWrite {
        var write = CollectionWrite(.filter(MessagePack.encode(filter)), .update(MessagePack.encode(update)))
        write.isMany = isMany
        write.isUpsert = isUpsert
        if !arrayFilters.isEmpty {
            write.arrayFilters = MessagePack.encode(.array(arrayFilters.map { .document($0) }))
        }
        return write
    }

    /// Creates a replacement of the first document that fulfils a filter.
    public static func replace(_ filter: Document, by document: Document, isUpsert: Bool = false) -> CollectionWrite {
        var write = CollectionWrite(.filter(MessagePack.encode(filter)), .replace(MessagePack.encode(document)))
        write.isUpsert = isUpsert
        return write
    }

    /// Creates a deletion of the documents that fulfil a filter.
    public static func delete(_ filter: Document, isMany: Bool = false) -> CollectionWrite {
        var write = CollectionWrite(.filter(MessagePack.encode(filter)), .delete)
        write.isMany = isMany
        return write
    }
}
