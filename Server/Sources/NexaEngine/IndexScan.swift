import NexaQuery
import NexaStorage
import NexaValue

/// The parts of an index in which all documents are that a filter may match.
struct IndexScan: Sendable {
    /// Stored keys, without the `_id` behind them.
    struct KeyRange: Sendable {
        var lower: [UInt8]
        var upper: [UInt8]
    }

    /// The ranges that lists of values on several fields may multiply to.
    private static let maximumRanges = 1000

    let index: Index
    let marks: Index.Marks
    /// What is looked for in each field, as a person reads it; in ascending terms.
    let bounds: [KeyIntervals]
    /// In the order of the keys, without overlaps.
    private(set) var ranges: [KeyRange]
    /// The leading fields that have one value each.
    let singleFields: Int
    /// The leading fields that the ranges speak of.
    let boundedFields: Int
    /// All fields have one value.
    let isPoint: Bool
    /// The constraints all went into the ranges: what is found there matches.
    let isExact: Bool
    var isReverse = false

    /// - Parameter constraints: of the filter, in its order.
    init(_ index: Index, _ marks: Index.Marks, _ constraints: FilterConstraints) {
        self.index = index
        self.marks = marks
        let fields = index.definition.keys
        var bounds: [KeyIntervals] = []
        var arrays = Set<Substring>()
        for (position, field) in fields.enumerated() {
            var own = constraints.fields.filter { $0.path == field.path }
            if marks.multikey & 1 << UInt32(position) != 0 {
                own.removeAll(where: \.comparesWhole)
            } else {
                bounds.append(own.reduce(.everything) { $0.intersection($1.intervals) })
                continue
            }
            // Two fields of the elements of one array: each condition may be met by another element.
            let root = field.path.prefix { $0 != "." }
            guard !own.isEmpty, arrays.insert(root).inserted else {
                bounds.append(.everything)
                continue
            }
            // Likewise for two conditions on one field: the best of them is used.
            let points = own.filter(\.intervals.arePoints).min { $0.intervals.list.count < $1.intervals.list.count }
            bounds.append(points?.intervals ?? own.first { !$0.intervals.isEverything }?.intervals ?? .everything)
        }
        self.bounds = bounds

        var prefixes = [index.prefix]
        var bounded = 0
        var ranges: [KeyRange]?
        for (position, field) in fields.enumerated() {
            let list = bounds[position].list
            if bounds[position].isEverything { break }
            guard bounded == 0 || prefixes.count * list.count <= Self.maximumRanges else { break }
            bounded += 1
            let stored = field.isDescending ? list.reversed().map { $0.inverted } : list
            if bounds[position].arePoints {
                let points = list.map { field.isDescending ? $0.lower.map { ~$0 } : $0.lower }
                let ordered = field.isDescending ? points.reversed() : points
                prefixes = prefixes.flatMap { prefix in ordered.map { prefix + $0 } }
                continue
            }
            ranges = prefixes.flatMap { prefix in
                stored.map { KeyRange(lower: prefix + $0.lower, upper: prefix + $0.upper) }
            }
            break
        }
        singleFields = bounds.prefix(bounded).prefix { $0.list.count == 1 && $0.arePoints }.count
        boundedFields = bounded
        isPoint = ranges == nil && bounded == fields.count
        self.ranges = ranges ?? prefixes.map { KeyRange(lower: $0, upper: $0.prefixEnd) }

        let paths = Set(fields.prefix(bounded).map(\.path))
        isExact =
            constraints.isComplete && marks.multikey == 0 && marks.cut & (1 << UInt32(bounded) - 1) == 0
            && constraints.fields.allSatisfy { $0.isExact && paths.contains($0.path) }
    }

    /// Leaves out ids that the filter does not mean, where the entries of one value are in the order of the ids.
    mutating func narrow(toIDs lower: ArraySlice<UInt8>, _ upper: ArraySlice<UInt8>) {
        guard isPoint, marks.multikey == 0, !index.definition.isUnique else { return }
        ranges = ranges.map { KeyRange(lower: $0.lower + lower, upper: $0.lower + upper) }
    }

    /// Whether a document can be found more than once.
    var mayRepeat: Bool { marks.multikey != 0 && !(isPoint && ranges.count <= 1) }

    /// Whether a stored key, without the `_id`, is in one of the ranges.
    private func contains(_ key: [UInt8]) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if key.precedes(ranges[middle].upper) { high = middle } else { low = middle + 1 }
        }
        return low < ranges.count && !key.precedes(ranges[low].lower)
    }

    /// Whether the scan finds a document at all.
    func finds(_ document: RawSpan) throws(EngineError) -> Bool {
        try index.keys(of: document).keys.contains { contains($0) }
    }

    /// Whether of all keys by which the scan finds a document this is the one that it meets first. So every document
    /// is taken once, without keeping in mind which were.
    func meetsFirst(_ key: [UInt8], of document: RawSpan) throws(EngineError) -> Bool {
        for other in try index.keys(of: document).keys where contains(other) {
            if isReverse ? key.precedes(other) : other.precedes(key) { return false }
        }
        return true
    }

    /// Whether all documents that fulfil the constraints are in the index.
    func hasEverything(_ constraints: FilterConstraints) -> Bool {
        for required in index.partialConstraints {
            let isImplied = constraints.fields.contains { field in
                // Arrays that it means may not be in the index.
                guard field.path == required.path, !field.comparesWhole else { return false }
                if required.intervals.isEverything { return field.requiresValue }
                return (field.requiresValue || field.isExact) && field.intervals.isSubset(of: required.intervals)
            }
            if !isImplied { return false }
        }
        guard index.definition.isSparse else { return true }
        let paths = index.definition.keys.map(\.path)
        if marks.multikey == 0 {
            return constraints.fields.contains { $0.requiresValue && paths.contains($0.path) }
        }
        // The entry that is looked for must not be one of missing fields only.
        return boundedFields > 0
            && paths.prefix(boundedFields).allSatisfy { path in
                constraints.fields.filter { $0.path == path }.allSatisfy(\.requiresValue)
            }
    }

    /// Whether walking the index forward or in reverse gives an order; `nil` when it does neither.
    ///
    /// - Parameter terms: of the order; `_id` may come last.
    func reverse(for terms: [IndexDefinition.Key]) -> Bool? {
        let fields = index.definition.keys
        let single = Set(fields.prefix(singleFields).map(\.path))
        var position = 0
        var isReverse: Bool?
        func agrees(_ reverse: Bool) -> Bool {
            if let isReverse { return isReverse == reverse }
            isReverse = reverse
            return true
        }
        for term in terms {
            // A field with one value orders nothing.
            if single.contains(term.path), !isMarked(term.path) { continue }
            while position < fields.count, position < singleFields, fields[position].path != term.path { position += 1 }
            if position == fields.count {
                // Behind the values come the ids.
                guard term.path == "_id", !index.definition.isUnique, marks.multikey == 0, marks.cut == 0 else {
                    return nil
                }
                return agrees(term.isDescending) ? isReverse : nil
            }
            guard fields[position].path == term.path, !isMarked(term.path),
                agrees(fields[position].isDescending != term.isDescending)
            else { return nil }
            position += 1
        }
        return isReverse ?? false
    }

    private func isMarked(_ path: String) -> Bool {
        guard let position = index.definition.keys.firstIndex(where: { $0.path == path }) else { return true }
        return (marks.multikey | marks.cut) & 1 << UInt32(position) != 0
    }
}
