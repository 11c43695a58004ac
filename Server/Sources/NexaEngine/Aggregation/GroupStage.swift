import NexaQuery
import NexaValue

/// `$group`: one document for each value of a key, with accumulators over the documents that have it.
///
/// The groups come in the order in which their keys were first seen. What is read by plain paths is read from the
/// encoded document, without decoding it.
///
/// Groups that outgrow the memory of the stage go on in a file. From the limit on, the groups that are there take their
/// documents as before, and what belongs to others is written down; an eighth above it, as lists may bring them there,
/// all are. The result is the same, to the last bit and in the same order: each group adds its values in the order in which
/// they came.
///
/// Two threads may share a long scan if no accumulator depends on the order (`canBeShared`): each has a stage, and one
/// takes in the groups of the other at the end.
final class GroupStage: PipelineStage {
    struct Field {
        var name: String
        var input: Input
        /// Makes a column of the accumulator.
        var makeColumn: () -> AccumulatorColumn
    }

    /// Where an accumulator takes its values.
    enum Input {
        case constant(Value)
        case path(FieldPathReader, Expression)
        case expression(Expression)
    }

    /// Where the group of a document is.
    private enum Place {
        case memory(Int)
        /// The key of a group that has no place in memory.
        case file(Value)
    }

    private let name: String
    private let key: Input
    private let fields: [Field]
    private var columns: [AccumulatorColumn]
    private var keys: [Value] = []
    /// By group, the number of the document in which its key was first seen.
    private var firstNumbers: [UInt64] = []
    /// The number of the document at hand.
    private var number: UInt64 = 0
    /// Groups by the ordered form of their keys, in which 1 and 1.0 are the same.
    private var numbers: [[UInt8]: Int] = [:]
    /// Groups by the encoded bytes of keys that were seen: most documents need nothing else.
    private var known = ByteTable()
    private var bytes = 0
    private var drained = 0
    /// The groups by their first numbers, when they were made by two threads.
    private var order: [Int] = []
    /// What has no place in memory.
    private var spill: GroupSpill?
    /// Another thread has a part of the documents.
    private var isShared = false
    /// Takes a part of the documents, and gives what it makes of them to another stage.
    private var isPart = false
    /// Bytes that it may keep.
    private var maximumBytes: Int

    init(_ environment: PipelineEnvironment, name: String = "$group", key: Input, fields: [Field]) {
        self.name = name
        self.key = key
        self.fields = fields
        columns = fields.map { $0.makeColumn() }
        maximumBytes = environment.maximumStageBytes
        super.init(environment)
    }

    // MARK: Sharing

    /// Whether two threads may have a part of the documents each.
    var canBeShared: Bool { columns.allSatisfy(\.isMergeable) }

    /// Whether it keeps so much that another stage has to take what comes.
    var isOverfullPart: Bool { isPart && bytes > maximumBytes }

    /// Leaves some of its memory to a stage for another thread.
    func share(with part: GroupStage) {
        isShared = true
        part.isPart = true
        part.maximumBytes = maximumBytes / 4
        maximumBytes -= part.maximumBytes
    }

    /// Takes the groups that a part made.
    func merge(_ part: GroupStage) throws(EngineError) {
        for (group, key) in part.keys.enumerated() {
            number = part.firstNumbers[group]
            let states = part.columns.map { $0.state(group) }
            switch place(of: key) {
            case .memory(let mine):
                if number < firstNumbers[mine] {
                    firstNumbers[mine] = number
                    keys[mine] = key
                }
                for (column, state) in zip(columns, states) { column.merge(state, into: mine) }
                try account()
            case .file(let key): try spill?.add(key: key, states: states, number: number)
            }
        }
        part.release()
    }

    // MARK: Taking

    override func push(_ document: Document) throws(EngineError) {
        number += 1
        let key =
            switch self.key {
            case .constant(let value): value
            case .path(_, let expression), .expression(let expression):
                try environment.evaluate(expression, document) ?? .null
            }
        switch place(of: key) {
        case .memory(let group):
            for (field, column) in zip(fields, columns) {
                switch field.input {
                case .constant(let value): column.add(value, to: group)
                case .path(_, let expression), .expression(let expression):
                    column.add(try environment.evaluate(expression, document), to: group)
                }
            }
            try account()
        case .file(let key):
            try write(key) { (expression) throws(EngineError) in try environment.evaluate(expression, document) }
        }
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        try push(encoded: document, number: number + 1)
    }

    /// Takes an encoded document with its number in the order of all.
    func push(encoded document: RawSpan, number: UInt64) throws(EngineError) {
        self.number = number
        let group: Int
        switch try place(inEncoded: document) {
        case .memory(let number): group = number
        case .file(let key): return try write(key, encoded: document)
        }
        // Of a shared scan a thread may get earlier documents behind later ones.
        if number < firstNumbers[group] {
            firstNumbers[group] = number
            keys[group] = try keyValue(of: document)
        }
        for (field, column) in zip(fields, columns) {
            switch field.input {
            case .constant(.int(let number)): column.add(integer: number, to: group)
            case .constant(let value): column.add(value, to: group)
            case .expression(let expression):
                column.add(try environment.evaluate(expression, encoded: document), to: group)
            case .path(let reader, let expression):
                switch reader.head(in: document) {
                case .missing: column.add(nil, to: group)
                case .integer(let number): column.add(integer: number, to: group)
                case .double(let number): column.add(double: number, to: group)
                case .other: column.add(try environment.evaluate(expression, encoded: document), to: group)
                }
            }
        }
        try account()
    }

    private func keyValue(of document: RawSpan) throws(EngineError) -> Value {
        switch key {
        case .constant(let value): value
        case .path(_, let expression), .expression(let expression):
            try environment.evaluate(expression, encoded: document) ?? .null
        }
    }

    private func place(inEncoded document: RawSpan) throws(EngineError) -> Place {
        switch key {
        case .constant(let value): return keys.isEmpty ? place(of: value) : .memory(0)
        case .expression: return place(of: try keyValue(of: document))
        case .path(let reader, _):
            guard let range = reader.range(in: document) else { return place(of: try keyValue(of: document)) }
            let encoded = document.extracting(range)
            if let group = known.find(encoded) { return .memory(group) }
            let place = place(of: try keyValue(of: document))
            if case .memory(let group) = place, spill == nil {
                known.insert(encoded, group)
                bytes += encoded.byteCount + 24
            }
            return place
        }
    }

    private func place(of key: Value) -> Place {
        var ordered: [UInt8] = []
        OrderedEncoding.append(key, to: &ordered)
        if let number = numbers[ordered] { return .memory(number) }
        guard spill == nil else { return .file(key) }
        let group = keys.count
        numbers[ordered] = group
        keys.append(key)
        firstNumbers.append(number)
        for column in columns { column.append() }
        bytes += ordered.count + key.estimatedBytes + 72
        return .memory(group)
    }

    private func account() throws(EngineError) {
        for column in columns where column.growth > 0 {
            bytes += column.growth
            column.growth = 0
        }
        guard bytes > maximumBytes, !isPart else { return }
        if spill == nil { spill = GroupSpill(environment, name: name, fields: fields) }
        if bytes > maximumBytes + maximumBytes / 8 { try evict() }
    }

    // MARK: Beyond the memory

    /// Writes down what the groups have until now, and keeps none of them.
    private func evict() throws(EngineError) {
        for (group, key) in keys.enumerated() {
            try spill?.add(key: key, states: columns.map { $0.state(group) }, number: firstNumbers[group])
        }
        keys = []
        firstNumbers = []
        numbers = [:]
        known = ByteTable()
        columns = fields.map { $0.makeColumn() }
        bytes = 0
    }

    private func write(_ key: Value, encoded document: RawSpan) throws(EngineError) {
        var inputs: [Value?] = []
        for field in fields {
            switch field.input {
            case .constant(let value): inputs.append(.some(value))
            case .path(_, let expression), .expression(let expression):
                inputs.append(try environment.evaluate(expression, encoded: document))
            }
        }
        try spill?.add(key: key, inputs: inputs, number: number)
    }

    private func write(
        _ key: Value, _ evaluate: (Expression) throws(EngineError) -> Value?
    ) throws(EngineError) {
        var inputs: [Value?] = []
        for field in fields {
            switch field.input {
            case .constant(let value): inputs.append(.some(value))
            case .path(_, let expression), .expression(let expression): inputs.append(try evaluate(expression))
            }
        }
        try spill?.add(key: key, inputs: inputs, number: number)
    }

    // MARK: Giving

    override func end() throws(EngineError) {
        numbers = [:]
        known = ByteTable()
        isDraining = true
        if isShared, spill != nil {
            // Those of the other thread may come before some that are in memory.
            try evict()
        } else if isShared {
            order = firstNumbers.indices.sorted { firstNumbers[$0] < firstNumbers[$1] }
        }
        try spill?.finish()
    }

    override func drain(_ budget: Int) throws(EngineError) {
        for _ in 0..<budget {
            if drained < keys.count {
                // These were all seen before the first that is in a file.
                let group = order.isEmpty ? drained : order[drained]
                let document = Self.result(of: group, key: keys[group], fields, columns)
                drained += 1
                try next?.push(document)
            } else if let spill {
                if drained > 0 { release() }
                switch try spill.next() {
                case .document(let document): try next?.push(encoded: document.span.bytes)
                case .nothingYet: break
                case .end:
                    self.spill = nil
                    return try super.drain(budget)
                }
            } else {
                release()
                return try super.drain(budget)
            }
        }
    }

    private func release() {
        keys = []
        firstNumbers = []
        order = []
        drained = 0
        columns = []
    }

    /// The document of a group.
    static func result(
        of group: Int, key: Value, _ fields: [Field], _ columns: [AccumulatorColumn]
    ) -> Document {
        var document: Document = ["_id": key]
        for (field, column) in zip(fields, columns) {
            if let value = column.result(group) { document[field.name] = .some(value) }
        }
        return document
    }
}
