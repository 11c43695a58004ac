import NexaQuery
import NexaValue

/// What a `$group` has no memory for: rows of values in a file, sorted by the key of the group, and within a group by their
/// order. At the end each group is made by itself, and the groups are sorted by when they were first seen.
final class GroupSpill {
    /// What comes next.
    enum Step {
        case document([UInt8])
        /// There is work that takes longer than one step.
        case nothingYet
        case end
    }

    private let environment: PipelineEnvironment
    private let name: String
    private let fields: [GroupStage.Field]
    private let rows: SpillingSorter
    private let results: SpillingSorter
    private var areRowsDone = false
    /// The group at hand.
    private var group: (ordered: ArraySlice<UInt8>, key: Value, first: ArraySlice<UInt8>, columns: [AccumulatorColumn])?
    private var bytes = 0

    init(_ environment: PipelineEnvironment, name: String, fields: [GroupStage.Field]) {
        self.environment = environment
        self.name = name
        self.fields = fields
        let directory = environment.engine.temporaryDirectory
        let maximumBytes = environment.maximumStageBytes / 2
        rows = SpillingSorter(maximumBytes: maximumBytes, directory: directory, name: name)
        results = SpillingSorter(maximumBytes: maximumBytes, directory: directory, name: name)
    }

    // MARK: Adding

    /// Adds what a document gives the accumulators of a group; `nil` for a missing value.
    func add(key: Value, inputs: [Value?], number: UInt64) throws(EngineError) {
        var writer = MessagePackWriter(capacity: 64)
        writer.writeArrayHead(count: 2 + 2 * inputs.count)
        writer.write(false)
        writer.write(key)
        for input in inputs {
            writer.write(input != nil)
            writer.write(input ?? .null)
        }
        try rows.add(Self.rowKey(key, number), writer.bytes)
    }

    /// Adds what the accumulators of a group know already.
    ///
    /// - Parameter number: of the first document of the group.
    func add(key: Value, states: [Value], number: UInt64) throws(EngineError) {
        var writer = MessagePackWriter(capacity: 64)
        writer.writeArrayHead(count: 2 + states.count)
        writer.write(true)
        writer.write(key)
        for state in states { writer.write(state) }
        try rows.add(Self.rowKey(key, number), writer.bytes)
    }

    /// No encoded key is the beginning of another one, so that the number behind it does not disturb the order.
    private static func rowKey(_ key: Value, _ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        OrderedEncoding.append(key, to: &bytes)
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    // MARK: Making the groups

    /// Everything was added.
    func finish() throws(EngineError) { try rows.finish() }

    /// Goes one row further, or, behind the last one, to the next result.
    func next() throws(EngineError) -> Step {
        if areRowsDone { return try results.next().map { .document($0) } ?? .end }
        guard let (key, row) = try rows.nextEntry() else {
            try finishGroup()
            try results.finish()
            areRowsDone = true
            return .nothingYet
        }
        let values = try Self.values(row)
        let ordered = key.dropLast(8)
        if group?.ordered != ordered {
            try finishGroup()
            let columns = fields.map { $0.makeColumn() }
            for column in columns { column.append() }
            group = (ordered, values.count > 1 ? values[1] : .null, key.suffix(8), columns)
        }
        for (place, column) in (group?.columns ?? []).enumerated() {
            if values.first == .bool(true) {
                if values.count > place + 2 { column.merge(values[place + 2], into: 0) }
            } else if values.count > 2 * place + 3 {
                column.add(values[2 * place + 2] == .bool(true) ? .some(values[2 * place + 3]) : nil, to: 0)
            }
            bytes += column.growth
            column.growth = 0
        }
        guard bytes <= environment.maximumStageBytes else { throw environment.tooLarge("One group of \(name)") }
        return .nothingYet
    }

    private func finishGroup() throws(EngineError) {
        guard let (_, key, first, columns) = group else { return }
        let document = GroupStage.result(of: 0, key: key, fields, columns)
        try results.add(Array(first), MessagePack.encode(document))
        group = nil
        bytes = 0
    }

    private static func values(_ row: [UInt8]) throws(EngineError) -> [Value] {
        do throws(MessagePackError) {
            return try MessagePack.decode(row, limits: .spilled).array ?? []
        } catch {
            throw EngineError(.storage, "The file of a large $group is damaged: \(error)")
        }
    }
}

extension MessagePack.Limits {
    /// Rows have what an aggregation makes, deeper by two than a document.
    fileprivate static var spilled: MessagePack.Limits {
        var limits = MessagePack.Limits.standard
        limits.maximumDepth += 8
        return limits
    }
}
