import NexaQuery
import NexaValue

/// `$match`.
final class MatchStage: PipelineStage {
    private let filter: QueryFilter
    /// `$expr`, which may use the variables of the pipeline.
    private let condition: Expression?

    init(_ environment: PipelineEnvironment, _ filter: Document) throws(EngineError) {
        var rest = filter
        var condition: Expression?
        if let expression = filter["$expr"], !environment.variableNames.isEmpty {
            condition = try environment.compile(expression)
            rest["$expr"] = nil
        }
        self.condition = condition
        let plain = rest
        self.filter = try translatingQuery { () throws(QueryError) in try QueryFilter(compiling: plain) }
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        if !filter.matchesEverything, try !matches(MessagePack.encode(document).span.bytes) { return }
        if let condition, try !environment.evaluate(condition, document).countsAsTrue { return }
        try next?.push(document)
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        guard try matches(document) else { return }
        if let condition, try !environment.evaluate(condition, encoded: document).countsAsTrue { return }
        try next?.push(encoded: document)
    }

    private func matches(_ document: RawSpan) throws(EngineError) -> Bool {
        if filter.isCostly { try environment.check() }
        do throws(QueryError) { return try filter.matches(document) } catch { throw EngineError(error) }
    }
}

/// `$limit`.
final class LimitStage: PipelineStage {
    private var left: Int

    init(_ environment: PipelineEnvironment, _ count: Int) {
        left = count
        super.init(environment)
    }

    override var isFull: Bool { left == 0 || super.isFull }

    override func push(_ document: Document) throws(EngineError) {
        guard left > 0 else { return }
        left -= 1
        try next?.push(document)
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        guard left > 0 else { return }
        left -= 1
        try next?.push(encoded: document)
    }
}

/// `$skip`.
final class SkipStage: PipelineStage {
    private var left: Int

    init(_ environment: PipelineEnvironment, _ count: Int) {
        left = count
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        if left > 0 { left -= 1 } else { try next?.push(document) }
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        if left > 0 { left -= 1 } else { try next?.push(encoded: document) }
    }
}

/// `$count`.
final class CountStage: PipelineStage {
    private let field: String
    private var count: Int64 = 0

    init(_ environment: PipelineEnvironment, _ field: String) {
        self.field = field
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) { count += 1 }
    override func push(encoded document: RawSpan) throws(EngineError) { count += 1 }

    override func end() throws(EngineError) {
        // As in MongoDB, nothing at all has no count.
        if count > 0 { try next?.push([field: .int(count)]) }
        try next?.end()
    }
}

/// `$project` and `$unset` that only choose fields.
final class SelectStage: PipelineStage {
    private let projection: Projection
    private var writer = MessagePackWriter(capacity: 1024)

    init(_ environment: PipelineEnvironment, _ projection: Projection) {
        self.projection = projection
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        try push(encoded: MessagePack.encode(document).span.bytes)
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        writer.removeAll(keepingAtMost: 1 << 20)
        do throws(QueryError) { try projection.apply(document, to: &writer) } catch { throw EngineError(error) }
        let bytes = writer.bytes
        try next?.push(encoded: bytes.span.bytes)
    }
}

/// `$addFields`, `$set`, and `$project` with computed fields.
final class ComputeStage: PipelineStage {
    private let fields: [(path: [String], expression: Expression)]
    /// The fields that stay; `nil` for all of them.
    private let kept: Projection?

    init(
        _ environment: PipelineEnvironment, _ fields: [(path: [String], expression: Expression)],
        keeping kept: Projection?
    ) {
        self.fields = fields
        self.kept = kept
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        var result = document
        if let kept {
            var writer = MessagePackWriter(capacity: 256)
            let encoded = MessagePack.encode(document)
            do throws(QueryError) {
                try kept.apply(encoded.span.bytes, to: &writer)
            } catch {
                throw EngineError(error)
            }
            do throws(MessagePackError) {
                result = try MessagePack.decodeDocument(writer.bytes)
            } catch {
                throw EngineError(.storage, "A projected document is damaged: \(error)")
            }
        }
        var bytes = 0
        var isNested = false
        for (path, expression) in fields {
            let value = try environment.evaluate(expression, document)
            // In memory they may share what they are made of, encoded they do not.
            bytes += value?.estimatedBytes ?? 0
            guard bytes <= environment.maximumStageBytes else { throw environment.tooLarge("One document") }
            isNested = isNested || path.count > 1
            result.setComputed(value, at: path[...])
        }
        // One value may have come to many elements of an array.
        if isNested, bytes > 1024, Value.document(result).estimatedBytes > environment.maximumStageBytes {
            throw environment.tooLarge("One document")
        }
        try next?.push(result)
    }
}

extension Document {
    /// Sets a field below documents, which are made where there is anything else.
    mutating func setNested(_ value: Value, at path: ArraySlice<String>) {
        guard let name = path.first else { return }
        guard path.count > 1 else { return self[name] = .some(value) }
        var inner = self[name]?.document ?? [:]
        inner.setNested(value, at: path.dropFirst())
        self[name] = .some(.document(inner))
    }
}

/// `$replaceRoot` and `$replaceWith`.
final class ReplaceRootStage: PipelineStage {
    private let expression: Expression

    init(_ environment: PipelineEnvironment, _ expression: Expression) {
        self.expression = expression
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        let value = try environment.evaluate(expression, document)
        guard case .document(let root)? = value else {
            throw EngineError(
                .badRequest,
                "$replaceRoot needs a document as the new root, found \(value?.kindName ?? "a missing value")")
        }
        try next?.push(root)
    }
}

/// `$unwind`.
final class UnwindStage: PipelineStage {
    private let path: [String]
    private let indexField: [String]?
    private let keepsEmpty: Bool

    init(_ environment: PipelineEnvironment, path: [String], indexField: [String]?, keepsEmpty: Bool) {
        self.path = path
        self.indexField = indexField
        self.keepsEmpty = keepsEmpty
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        let value = Self.value(at: path[...], in: document)
        guard case .array(let elements)? = value else {
            if value.isNullish {
                if keepsEmpty { try push(document, index: .null) }
                return
            }
            return try push(document, index: .null)
        }
        if elements.isEmpty {
            guard keepsEmpty else { return }
            var result = document
            Self.set(nil, at: path[...], in: &result)
            return try push(result, index: .null)
        }
        for (index, element) in elements.enumerated() where !isFull {
            var result = document
            Self.set(element, at: path[...], in: &result)
            try push(result, index: .int(Int64(index)))
        }
    }

    private func push(_ document: Document, index: Value) throws(EngineError) {
        guard let indexField else { return try next?.push(document) ?? () }
        var result = document
        result.setNested(index, at: indexField[...])
        try next?.push(result)
    }

    private static func value(at path: ArraySlice<String>, in document: Document) -> Value? {
        guard let name = path.first, let value: Value = document[name] else { return nil }
        if path.count == 1 { return value }
        return value.document.flatMap { Self.value(at: path.dropFirst(), in: $0) }
    }

    private static func set(_ value: Value?, at path: ArraySlice<String>, in document: inout Document) {
        guard let name = path.first else { return }
        if path.count == 1 { return document[name] = value }
        guard var inner = document[name]?.document else { return }
        set(value, at: path.dropFirst(), in: &inner)
        document[name] = .some(.document(inner))
    }
}

/// `$sample`: so many documents, each equally likely (reservoir sampling, algorithm R: Vitter 1985).
final class SampleStage: PipelineStage {
    private let size: Int
    private var kept: [Document] = []
    private var seen = 0
    private var bytes = 0
    private var random = SystemRandomNumberGenerator()

    init(_ environment: PipelineEnvironment, _ size: Int) {
        self.size = size
        super.init(environment)
    }

    override func push(_ document: Document) throws(EngineError) {
        seen += 1
        if kept.count < size {
            bytes += Value.document(document).estimatedBytes
            guard bytes <= environment.maximumStageBytes else { throw environment.tooLarge("$sample") }
            kept.append(document)
        } else {
            let place = Int.random(in: 0..<seen, using: &random)
            if place < size { kept[place] = document }
        }
    }

    override func end() throws(EngineError) {
        kept.shuffle(using: &random)
        isDraining = true
    }

    override func drain(_ budget: Int) throws(EngineError) {
        for _ in 0..<budget {
            guard let document = kept.popLast() else { return try super.drain(budget) }
            try next?.push(document)
        }
    }
}

extension Value? {
    /// Neither missing, null, false nor zero.
    var countsAsTrue: Bool {
        switch self {
        case nil, .null?, .bool(false)?: false
        case .int(let number)?: number != 0
        case .double(let number)?: number != 0
        default: true
        }
    }

    /// Null or missing.
    var isNullish: Bool {
        switch self {
        case nil, .null?: true
        default: false
        }
    }
}
