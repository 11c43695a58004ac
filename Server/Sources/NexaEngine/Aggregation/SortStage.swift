import NexaQuery
import NexaValue

/// `$sort` of documents that other stages made; in a file when they outgrow the memory of a stage.
final class SortStage: PipelineStage {
    private let order: SortOrder
    private let sorter: SpillingSorter

    init(_ environment: PipelineEnvironment, _ order: SortOrder) {
        self.order = order
        sorter = SpillingSorter(
            maximumBytes: environment.maximumStageBytes, directory: environment.engine.temporaryDirectory)
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        try push(encoded: MessagePack.encode(document).span.bytes)
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        let key: SortKey
        do throws(QueryError) { key = try order.key(of: document) } catch { throw EngineError(error) }
        try sorter.add(key.bytes, document.withUnsafeBytes { Array($0) })
    }

    override func end() throws(EngineError) {
        try sorter.finish()
        isDraining = true
    }

    override func drain(_ budget: Int) throws(EngineError) {
        for _ in 0..<budget {
            guard let document = try sorter.next() else { return try super.drain(budget) }
            try next?.push(encoded: document.span.bytes)
        }
    }
}
