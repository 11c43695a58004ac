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
    /// Takes over what another column knows of a group that has just begun here.
    func restore(_ state: Value, to group: Int) {}

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

/// `$sum`: whole as long as all numbers are and the sum fits.
private final class SumColumn: AccumulatorColumn {
    private var integers: [Int64] = []
    private var doubles: [Double] = []
    private var isDouble: [Bool] = []

    override func append() {
        integers.append(0)
        doubles.append(0)
        isDouble.append(false)
        growth += 17
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
        doubles[group] += double
        isDouble[group] = true
    }

    override func result(_ group: Int) -> Value? {
        isDouble[group] ? .double(doubles[group] + Double(integers[group])) : .int(integers[group])
    }

    override func state(_ group: Int) -> Value {
        [.int(integers[group]), .double(doubles[group]), .bool(isDouble[group])]
    }

    override func restore(_ state: Value, to group: Int) {
        guard case .array(let parts) = state, parts.count == 3 else { return }
        integers[group] = parts[0].int ?? 0
        doubles[group] = parts[1].double ?? 0
        isDouble[group] = parts[2].bool ?? false
    }
}

private final class AverageColumn: AccumulatorColumn {
    private var sums: [Double] = []
    private var counts: [Int] = []

    override func append() {
        sums.append(0)
        counts.append(0)
        growth += 16
    }

    override func add(_ value: Value?, to group: Int) {
        if let number = value?.double { add(double: number, to: group) }
    }

    override func add(integer: Int64, to group: Int) { add(double: Double(integer), to: group) }

    override func add(double: Double, to group: Int) {
        sums[group] += double
        counts[group] += 1
    }

    override func result(_ group: Int) -> Value? {
        counts[group] == 0 ? .null : .double(sums[group] / Double(counts[group]))
    }

    override func state(_ group: Int) -> Value { [.double(sums[group]), .int(Int64(counts[group]))] }

    override func restore(_ state: Value, to group: Int) {
        guard case .array(let parts) = state, parts.count == 2 else { return }
        sums[group] = parts[0].double ?? 0
        counts[group] = Int(parts[1].int ?? 0)
    }
}

/// `$min` and `$max`, over the whole order of values; null and missing do not count.
private final class ExtremeColumn: AccumulatorColumn {
    private let isMaximum: Bool
    private var values: [Value?] = []

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
        guard isMaximum ? order > 0 : order < 0 else { return }
        growth += value.estimatedBytes - old.estimatedBytes
        values[group] = .some(value)
    }

    override func result(_ group: Int) -> Value? { values[group] ?? .null }
    override func state(_ group: Int) -> Value { values[group] ?? .null }
    override func restore(_ state: Value, to group: Int) { add(state, to: group) }
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

    override func restore(_ state: Value, to group: Int) {
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

    override func restore(_ state: Value, to group: Int) {
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

    override func restore(_ state: Value, to group: Int) {
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
    override func restore(_ state: Value, to group: Int) { add(state, to: group) }
}
