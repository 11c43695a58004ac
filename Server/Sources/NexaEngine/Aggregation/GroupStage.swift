import NexaQuery
import NexaValue

/// `$group`: one document for each value of a key, with accumulators over the documents that have it.
///
/// The groups come in the order in which their keys were first seen. What is read by plain paths is read from the
/// encoded document, without decoding it.
final class GroupStage: PipelineStage {
    struct Field {
        var name: String
        var column: AccumulatorColumn
        var input: Input
    }

    /// Where an accumulator takes its values.
    enum Input {
        case constant(Value)
        case path(FieldPathReader, Expression)
        case expression(Expression)
    }

    private let name: String
    private let key: Input
    private let fields: [Field]
    private var keys: [Value] = []
    /// Groups by the ordered form of their keys, in which 1 and 1.0 are the same.
    private var numbers: [[UInt8]: Int] = [:]
    /// Groups by the encoded bytes of keys that were seen: most documents need nothing else.
    private var known = ByteTable()
    private var bytes = 0
    private var drained = 0

    init(_ environment: PipelineEnvironment, name: String = "$group", key: Input, fields: [Field]) {
        self.name = name
        self.key = key
        self.fields = fields
        super.init(environment)
    }

    // MARK: Taking

    override func push(_ document: Document) throws(EngineError) {
        let key =
            switch self.key {
            case .constant(let value): value
            case .path(_, let expression), .expression(let expression):
                try environment.evaluate(expression, document) ?? .null
            }
        let group = number(of: key)
        for field in fields {
            switch field.input {
            case .constant(let value): field.column.add(value, to: group)
            case .path(_, let expression), .expression(let expression):
                field.column.add(try environment.evaluate(expression, document), to: group)
            }
        }
        try account()
    }

    override func push(encoded document: RawSpan) throws(EngineError) {
        let group = try number(inEncoded: document)
        for field in fields {
            switch field.input {
            case .constant(.int(let number)): field.column.add(integer: number, to: group)
            case .constant(let value): field.column.add(value, to: group)
            case .expression(let expression):
                field.column.add(try environment.evaluate(expression, encoded: document), to: group)
            case .path(let reader, let expression):
                switch reader.head(in: document) {
                case .missing: field.column.add(nil, to: group)
                case .integer(let number): field.column.add(integer: number, to: group)
                case .double(let number): field.column.add(double: number, to: group)
                case .other: field.column.add(try environment.evaluate(expression, encoded: document), to: group)
                }
            }
        }
        try account()
    }

    private func number(inEncoded document: RawSpan) throws(EngineError) -> Int {
        switch key {
        case .constant(let value): return keys.isEmpty ? number(of: value) : 0
        case .expression(let expression):
            return number(of: try environment.evaluate(expression, encoded: document) ?? .null)
        case .path(let reader, let expression):
            guard let range = reader.range(in: document) else {
                return number(of: try environment.evaluate(expression, encoded: document) ?? .null)
            }
            let encoded = document.extracting(range)
            if let group = known.find(encoded) { return group }
            let group = number(of: try environment.evaluate(expression, encoded: document) ?? .null)
            known.insert(encoded, group)
            bytes += encoded.byteCount + 24
            return group
        }
    }

    private func number(of key: Value) -> Int {
        var ordered: [UInt8] = []
        OrderedEncoding.append(key, to: &ordered)
        if let number = numbers[ordered] { return number }
        let number = keys.count
        numbers[ordered] = number
        keys.append(key)
        for field in fields { field.column.append() }
        bytes += ordered.count + key.estimatedBytes + 64
        return number
    }

    private func account() throws(EngineError) {
        for field in fields where field.column.growth > 0 {
            bytes += field.column.growth
            field.column.growth = 0
        }
        guard bytes <= environment.maximumStageBytes else { throw environment.tooLarge(name) }
    }

    // MARK: Giving

    override func end() throws(EngineError) {
        numbers = [:]
        known = ByteTable()
        isDraining = true
    }

    override func drain(_ budget: Int) throws(EngineError) {
        for _ in 0..<budget {
            guard drained < keys.count else {
                keys = []
                return try super.drain(budget)
            }
            var document: Document = ["_id": keys[drained]]
            for field in fields {
                if let value = field.column.result(drained) { document[field.name] = .some(value) }
            }
            drained += 1
            try next?.push(document)
        }
    }
}

/// Numbers by byte strings, in one arena: open addressing, without an allocation for a look-up.
struct ByteTable {
    private struct Slot {
        var hash: UInt64 = 0
        var start: UInt32 = 0
        var count: UInt32 = 0
        /// The number and one; 0 for an empty slot.
        var number: UInt32 = 0
    }

    private var slots = [Slot](repeating: Slot(), count: 64)
    private var arena: [UInt8] = []
    private var count = 0
    private let seed = UInt64.random(in: .min ... .max)

    /// Word by word, mixed with a multiplication; the seed is secret, so that nobody can make keys collide on purpose.
    private func hash(_ bytes: RawSpan) -> UInt64 {
        var hash = seed ^ UInt64(bytes.byteCount)
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            hash = Self.mix(hash ^ (unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.byteCount {
            rest = rest << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        return Self.mix(hash ^ rest)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    func find(_ bytes: RawSpan) -> Int? {
        let hash = hash(bytes)
        var place = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[place].number != 0 {
            let slot = slots[place]
            if slot.hash == hash, Int(slot.count) == bytes.byteCount {
                let start = Int(slot.start)
                if arena.span.bytes.extracting(start..<start + bytes.byteCount).elementsEqual(bytes) {
                    return Int(slot.number) - 1
                }
            }
            place = (place + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds bytes that are not there yet. What would outgrow the arena is left out, and looked up in another way.
    mutating func insert(_ bytes: RawSpan, _ number: Int) {
        guard arena.count + bytes.byteCount < 1 << 31 else { return }
        if (count + 1) * 2 > slots.count { grow() }
        let start = arena.count
        bytes.withUnsafeBytes { arena.append(contentsOf: $0) }
        place(
            Slot(
                hash: hash(bytes), start: UInt32(start), count: UInt32(bytes.byteCount), number: UInt32(number + 1)))
        count += 1
    }

    private mutating func place(_ slot: Slot) {
        var place = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
        while slots[place].number != 0 { place = (place + 1) & (slots.count - 1) }
        slots[place] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: old.count * 2)
        for slot in old where slot.number != 0 { place(slot) }
    }
}
