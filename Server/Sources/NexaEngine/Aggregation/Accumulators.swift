import NexaQuery
import NexaValue

/// What one accumulator of `$group` knows of all groups, by the number of the group.
class AccumulatorColumn {
    /// Bytes that were taken since the last time somebody asked.
    var growth = 0

    /// A new group begins.
    func append() {}
    /// A document of a group has this value; `nil` when it is missing.
    func add(_ value: Value?, to group: Int) {}
    /// The same for a whole number or a double, which need no `Value`.
    func add(integer: Int64, to group: Int) { add(.int(integer), to: group) }
    func add(double: Double, to group: Int) { add(.double(double), to: group) }
    /// The result; `nil` to leave the field out.
    func result(_ group: Int) -> Value? { nil }
    /// All that is known of a group, to go on with it in another column.
    func state(_ group: Int) -> Value { .null }
    /// Takes over what another column knows of a group: of documents that come later than those that it had here, unless
    /// it is mergeable.
    func merge(_ state: Value, into group: Int) {}
    /// Whether it makes no difference in which order the documents of a group come.
    var isMergeable: Bool { false }

    /// What makes columns of the accumulator of a name; `nil` for one that does not exist.
    static func named(_ name: String) -> (() -> AccumulatorColumn)? {
        switch name {
        case "$sum", "$count": { SumColumn() }
        case "$avg": { AverageColumn() }
        case "$min": { ExtremeColumn(isMaximum: false) }
        case "$max": { ExtremeColumn(isMaximum: true) }
        case "$first": { EndColumn(isLast: false) }
        case "$last": { EndColumn(isLast: true) }
        case "$push": { ListColumn(isSet: false) }
        case "$addToSet": { ListColumn(isSet: true) }
        case "$stdDevPop": { DeviationColumn(isSample: false) }
        case "$stdDevSamp": { DeviationColumn(isSample: true) }
        case "$mergeObjects": { MergeColumn() }
        default: nil
        }
    }

    static let names = [
        "$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet", "$count", "$stdDevPop", "$stdDevSamp",
        "$mergeObjects"
    ]
}

/// A sum of doubles that carries what rounding takes away, so that it is the same in whatever order they come, but for
/// cases that cancel out almost wholly: the second word holds another 53 bits.
///
/// Knuth's two-sum: The Art of Computer Programming, volume 2, 4.2.2.
private struct CompensatedSum {
    var high = 0.0
    var low = 0.0

    mutating func add(_ number: Double) {
        let sum = high + number
        let part = sum - high
        low += (high - (sum - part)) + (number - part)
        high = sum
    }

    /// Both words rounded to one; infinities and what is no number have no second word.
    var value: Double { high.isFinite ? high + low : high }
}

/// `$sum`: whole as long as all numbers are and the sum fits.
private final class SumColumn: AccumulatorColumn {
    private var integers: [Int64] = []
    private var doubles: [CompensatedSum] = []
    private var isDouble: [Bool] = []

    override var isMergeable: Bool { true }

    override func append() {
        integers.append(0)
        doubles.append(CompensatedSum())
        isDouble.append(false)
        growth += 25
    }

    override func add(_ value: Value?, to group: Int) {
        switch value {
        case .int(let number)?: add(integer: number, to: group)
        case .double(let number)?: add(double: number, to: group)
        case .uint(let number)?: add(double: Double(number), to: group)
        default: break
        }
    }

    override func add(integer: Int64, to group: Int) {
        let (sum, overflow) = integers[group].addingReportingOverflow(integer)
        guard overflow else { return integers[group] = sum }
        add(double: Double(integer), to: group)
    }

    override func add(double: Double, to group: Int) {
        doubles[group].add(double)
        isDouble[group] = true
    }

    override func result(_ group: Int) -> Value? {
        guard isDouble[group] else { return .int(integers[group]) }
        var sum = doubles[group]
        sum.add(Double(integers[group]))
        return .double(sum.value)
    }

    override func state(_ group: Int) -> Value {
        [.int(integers[group]), .double(doubles[group].high), .double(doubles[group].low), .bool(isDouble[group])]
    }

    override func merge(_ state: Value, into group: Int) {
        guard case .array(let parts) = state, parts.count == 4 else { return }
        add(integer: parts[0].int ?? 0, to: group)
        guard parts[3].bool == true else { return }
        add(double: parts[1].double ?? 0, to: group)
        doubles[group].low += parts[2].double ?? 0
    }
}

private final class AverageColumn: AccumulatorColumn {
    private var sums: [CompensatedSum] = []
    private var counts: [Int] = []

    override var isMergeable: Bool { true }

    override func append() {
        sums.append(CompensatedSum())
        counts.append(0)
        growth += 24
    }

    override func add(_ value: Value?, to group: Int) {
        if let number = value?.double { add(double: number, to: group) }
    }

    override func add(integer: Int64, to group: Int) { add(double: Double(integer), to: group) }

    override func add(double: Double, to group: Int) {
        sums[group].add(double)
        counts[group] += 1
    }

    override func result(_ group: Int) -> Value? {
        counts[group] == 0 ? .null : .double(sums[group].value / Double(counts[group]))
    }

    override func state(_ group: Int) -> Value {
        [.double(sums[group].high), .double(sums[group].low), .int(Int64(counts[group]))]
    }

    override func merge(_ state: Value, into group: Int) {
        guard case .array(let parts) = state, parts.count == 3 else { return }
        sums[group].add(parts[0].double ?? 0)
        sums[group].low += parts[1].double ?? 0
        counts[group] += Int(parts[2].int ?? 0)
    }
}

/// `$min` and `$max`, over the whole order of values; null and missing do not count.
private final class ExtremeColumn: AccumulatorColumn {
    private let isMaximum: Bool
    private var values: [Value?] = []

    override var isMergeable: Bool { true }

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    override func append() {
        values.append(nil)
        growth += 33
    }

    override func add(_ value: Value?, to group: Int) {
        guard let value, !value.isNull else { return }
        guard let old = values[group] else {
            growth += value.estimatedBytes
            values[group] = .some(value)
            return
        }
        let order =
            if case .int(let left) = value, case .int(let right) = old {
                left < right ? -1 : left == right ? 0 : 1
            } else {
                ValueOrder.compare(value, old)
            }
        guard isMaximum ? order > 0 : order < 0 else {
            // 1 and 1.0 are equal: which of them is shown must not depend on the order in which they come.
            if order == 0, Self.isShown(value, before: old) { values[group] = .some(value) }
            return
        }
        growth += value.estimatedBytes - old.estimatedBytes
        values[group] = .some(value)
    }

    private static func isShown(_ value: Value, before other: Value) -> Bool {
        switch (value, other) {
        case (.int, .int), (.string, .string), (.bool, .bool), (.timestamp, .timestamp): false
        default: MessagePack.encode(value).precedes(MessagePack.encode(other))
        }
    }

    override func result(_ group: Int) -> Value? { values[group] ?? .null }
    override func state(_ group: Int) -> Value { values[group] ?? .null }
    override func merge(_ state: Value, into group: Int) { add(state, to: group) }
}

/// `$first` and `$last`.
private final class EndColumn: AccumulatorColumn {
    private let isLast: Bool
    private var values: [Value?] = []
    private var isSet: [Bool] = []

    init(isLast: Bool) { self.isLast = isLast }

    override func append() {
        values.append(nil)
        isSet.append(false)
        growth += 34
    }

    override func add(_ value: Value?, to group: Int) {
        guard isLast || !isSet[group] else { return }
        growth += (value?.estimatedBytes ?? 0) - (values[group]?.estimatedBytes ?? 0)
        values[group] = value
        isSet[group] = true
    }

    override func result(_ group: Int) -> Value? { values[group] ?? .null }

    override func state(_ group: Int) -> Value {
        [.bool(isSet[group]), .bool(values[group] != nil), values[group] ?? .null]
    }

    override func merge(_ state: Value, into group: Int) {
        guard case .array(let parts) = state, parts.count == 3, parts[0] == .bool(true) else { return }
        add(parts[1] == .bool(true) ? .some(parts[2]) : nil, to: group)
    }
}

/// `$push` and `$addToSet`; a missing value adds nothing.
private final class ListColumn: AccumulatorColumn {
    private let isSet: Bool
    private var lists: [[Value]] = []
    private var members: [Set<[UInt8]>] = []

    init(isSet: Bool) { self.isSet = isSet }

    override func append() {
        lists.append([])
        if isSet { members.append([]) }
        growth += 16
    }

    override func add(_ value: Value?, to group: Int) {
        guard let value else { return }
        if isSet {
            var key: [UInt8] = []
            OrderedEncoding.append(value, to: &key)
            guard members[group].insert(key).inserted else { return }
            growth += key.count + 32
        }
        lists[group].append(value)
        growth += value.estimatedBytes
    }

    override func result(_ group: Int) -> Value? { .array(lists[group]) }
    override func state(_ group: Int) -> Value { .array(lists[group]) }

    override func merge(_ state: Value, into group: Int) {
        for value in state.array ?? [] { add(value, to: group) }
    }
}

/// Welford's algorithm: https://en.wikipedia.org/wiki/Algorithms_for_calculating_variance.
private final class DeviationColumn: AccumulatorColumn {
    private let isSample: Bool
    private var states: [(count: Int, mean: Double, squares: Double)] = []

    init(isSample: Bool) { self.isSample = isSample }

    override func append() {
        states.append((0, 0, 0))
        growth += 24
    }

    override func add(_ value: Value?, to group: Int) {
        guard let number = value?.double else { return }
        states[group].count += 1
        let difference = number - states[group].mean
        states[group].mean += difference / Double(states[group].count)
        states[group].squares += difference * (number - states[group].mean)
    }

    override func result(_ group: Int) -> Value? {
        let count = states[group].count - (isSample ? 1 : 0)
        return count > 0 ? .double((states[group].squares / Double(count)).squareRoot()) : .null
    }

    override func state(_ group: Int) -> Value {
        let state = states[group]
        return [.int(Int64(state.count)), .double(state.mean), .double(state.squares)]
    }

    override func merge(_ state: Value, into group: Int) {
        guard case .array(let parts) = state, parts.count == 3 else { return }
        states[group] = (Int(parts[0].int ?? 0), parts[1].double ?? 0, parts[2].double ?? 0)
    }
}

private final class MergeColumn: AccumulatorColumn {
    private var documents: [Document] = []

    override func append() {
        documents.append([:])
        growth += 64
    }

    override func add(_ value: Value?, to group: Int) {
        guard case .document(let document)? = value else { return }
        for (name, value) in document { documents[group][name] = .some(value) }
        growth += Value.document(document).estimatedBytes
    }

    override func result(_ group: Int) -> Value? { .document(documents[group]) }
    override func state(_ group: Int) -> Value { .document(documents[group]) }
    override func merge(_ state: Value, into group: Int) { add(state, to: group) }
}
