import NexaQuery
import NexaValue

/// What the stages of one pipeline share.
final class PipelineEnvironment {
    let engine: Engine
    let database: String
    let transaction: Transaction?
    /// Bytes that one stage may keep; a sort beyond goes to the disk, other stages fail.
    let maximumStageBytes: Int
    /// Throws when the work should end.
    let check: @Sendable () throws(EngineError) -> Void
    var context: ExpressionContext
    /// The names of the variables that expressions may use.
    var variableNames: Set<String> { Set(context.variables.keys) }

    init(
        _ engine: Engine, database: String, transaction: Transaction?, maximumStageBytes: Int,
        context: ExpressionContext, check: @escaping @Sendable () throws(EngineError) -> Void
    ) {
        self.engine = engine
        self.database = database
        self.transaction = transaction
        self.maximumStageBytes = maximumStageBytes
        self.context = context
        self.check = check
    }

    /// The same with further variables, for the pipeline inside of a stage.
    func adding(_ variables: [String: Value]) -> PipelineEnvironment {
        var context = context
        context.variables.merge(variables) { $1 }
        return PipelineEnvironment(
            engine, database: database, transaction: transaction, maximumStageBytes: maximumStageBytes,
            context: context, check: check)
    }

    func evaluate(_ expression: Expression, _ document: Document) throws(EngineError) -> Value? {
        if context.workBefore > Self.workBetweenChecks { try checkAgain() }
        do throws(QueryError) {
            return try expression.evaluate(document, &context)
        } catch {
            throw EngineError(error)
        }
    }

    func evaluate(_ expression: Expression, encoded document: RawSpan) throws(EngineError) -> Value? {
        if context.workBefore > Self.workBetweenChecks { try checkAgain() }
        do throws(QueryError) {
            return try expression.evaluate(encoded: document, &context)
        } catch {
            throw EngineError(error)
        }
    }

    /// Steps of expressions that take about a millisecond together.
    private static let workBetweenChecks = 20_000

    private func checkAgain() throws(EngineError) {
        context.workBefore = 0
        try check()
    }

    func compile(_ value: Value) throws(EngineError) -> Expression {
        let names = variableNames
        return try translatingQuery { () throws(QueryError) in try Expression(compiling: value, variables: names) }
    }

    /// The error of a stage that keeps too much.
    func tooLarge(_ stage: String) -> EngineError {
        EngineError(
            .limit, "\(stage) keeps more than its limit of \(maximumStageBytes) bytes",
            advice: "Filter or project before it, or use fewer groups")
    }
}

/// One operator of a pipeline: gets documents pushed, and pushes what it makes of them to the next one.
///
/// A document comes encoded as long as no stage has changed it. Used by one thread at a time.
class PipelineStage {
    let environment: PipelineEnvironment
    /// Where the result goes; every stage but the last has one.
    var next: PipelineStage?
    /// It has more to push by itself: `drain` is called until that is over.
    var isDraining = false

    init(_ environment: PipelineEnvironment) { self.environment = environment }

    /// No document that is pushed from now on makes a difference.
    var isFull: Bool { next?.isFull ?? false }

    /// Takes a document.
    func push(_ document: Document) throws(EngineError) {
        try next?.push(document)
    }

    /// Takes an encoded document.
    func push(encoded document: RawSpan) throws(EngineError) {
        let decoded: Document
        do throws(MessagePackError) {
            decoded = try MessagePack.decodeDocument(document)
        } catch {
            throw EngineError(.storage, "A stored document is damaged: \(error)")
        }
        try push(decoded)
    }

    /// No more documents come. A stage that kept them begins to drain.
    func end() throws(EngineError) { try next?.end() }

    /// Pushes about `budget` documents of those that it kept.
    func drain(_ budget: Int) throws(EngineError) {
        isDraining = false
        try next?.end()
    }
}

/// Stages in a row, from the first to the last.
struct PipelineChain {
    let stages: [PipelineStage]

    /// Connects the stages, with `last` behind them.
    init(_ stages: [PipelineStage], last: PipelineStage) {
        self.stages = stages + [last]
        for (stage, next) in zip(self.stages, self.stages.dropFirst()) { stage.next = next }
    }

    var first: PipelineStage { stages[0] }

    /// Lets the first stage that has something to push do so; false when there is none.
    func drainSome(_ budget: Int) throws(EngineError) -> Bool {
        guard let stage = stages.first(where: \.isDraining) else { return false }
        if stage.next?.isFull == true {
            stage.isDraining = false
            try stage.next?.end()
        } else {
            try stage.drain(budget)
        }
        return true
    }
}

/// The end of a pipeline: encodes the documents.
final class CollectorStage: PipelineStage {
    var writer = MessagePackWriter(capacity: 1024)
    private(set) var count = 0

    override var isFull: Bool { false }

    override func push(_ document: Document) throws(EngineError) {
        writer.write(document)
        count += 1
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        writer.writeRaw(document)
        count += 1
    }

    override func end() throws(EngineError) {}

    /// What was collected since the last time.
    func take() -> (documents: [UInt8], count: Int) {
        defer {
            writer.removeAll(keepingAtMost: 1 << 20)
            count = 0
        }
        return (writer.count > 0 ? writer.bytes : [], count)
    }
}

/// The end of a pipeline inside of another one: keeps the documents.
final class ListStage: PipelineStage {
    private(set) var documents: [Value] = []
    private var bytes = 0
    private let name: String

    init(_ environment: PipelineEnvironment, of name: String) {
        self.name = name
        super.init(environment)
    }

    override var isFull: Bool { false }

    override func push(_ document: Document) throws(EngineError) {
        bytes += Value.document(document).estimatedBytes
        guard bytes <= environment.maximumStageBytes else { throw environment.tooLarge(name) }
        documents.append(.document(document))
    }

    override func end() throws(EngineError) {}

    func take() -> [Value] {
        defer {
            documents = []
            bytes = 0
        }
        return documents
    }
}

extension Value {
    /// About how much memory a value takes.
    var estimatedBytes: Int {
        switch self {
        case .string(let text): 32 + text.utf8.count
        case .bytes(let bytes): 32 + bytes.count
        case .array(let elements): elements.reduce(32) { $0 + $1.estimatedBytes }
        case .document(let fields): fields.reduce(64) { $0 + 32 + $1.key.utf8.count + $1.value.estimatedBytes }
        case .vector(let numbers): 32 + 4 * numbers.count
        default: 32
        }
    }
}
