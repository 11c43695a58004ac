import NexaQuery
import NexaValue

/// `$out`: the documents take the place of all that a collection has, as one commit.
///
/// Indexes stay and are maintained, unique ones are kept to, and the events are those of the deletions and inserts. Until
/// the commit nobody sees anything of it; a pipeline that fails changes nothing. The limits are those of a transaction, for
/// what goes and what comes together.
final class OutStage: PipelineStage {
    /// How many documents a collection can be replaced by.
    static let maximumDocuments = EngineLimits.maximumBatchDocuments - 1

    private let target: String
    private var writes: [CollectionWrite]
    private var bytes = 0

    init(_ environment: PipelineEnvironment, to target: String) {
        self.target = target
        var everything = CollectionWrite(.filter(MessagePack.encode(.document([:]))), .delete)
        everything.isMany = true
        writes = [everything]
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) { try add(MessagePack.encode(document)) }

    override func push(encoded document: RawSpan) throws(EngineError) {
        try add(document.withUnsafeBytes { Array($0) })
    }

    private func add(_ document: [UInt8]) throws(EngineError) {
        bytes += document.count + 64
        guard bytes <= environment.maximumStageBytes, writes.count <= Self.maximumDocuments else {
            throw EngineError(
                .limit,
                "$out replaces a collection as one commit, of at most \(Self.maximumDocuments) documents and "
                    + "\(environment.maximumStageBytes) bytes",
                advice: "Use $merge, which writes document by document")
        }
        writes.append(.insert(document))
    }

    override func end() throws(EngineError) {
        try environment.check()
        var options = WriteSetOptions()
        options.isAtomic = true
        let execution = try environment.engine.write(
            database: environment.database, collection: target, writes, options: options)
        writes = []
        while execution.step(budget: 1024) == .more {
            execution.settle()
            try environment.check()
        }
        execution.settle()
        _ = try execution.outcomesNow()
        try next?.end()
    }
}
