import NexaQuery
public import NexaValue

extension QueryExecution {
    /// How the query was carried out, once it is done: `winning_plan`, `rejected_plans`, `execution`.
    ///
    /// A plan has a `stage`: `COLLSCAN` (all documents), `IDHACK` (documents by their ids), `IDSCAN` (a range of ids),
    /// `IXSCAN` (an index, then the documents), `COUNT_SCAN` (an index alone), `OR` (several `inputs`), `EOF` (nothing
    /// to look at).
    public var explanation: Document {
        var winning: Document
        if let plan = choice?.plan { winning = Self.explain(plan) } else { winning = documentPlan }
        if order != nil { winning["sort"] = .string(isSortedBySource ? "source" : "memory") }
        var rejected = (choice?.rejected ?? []).map { Value.document(Self.explain($0)) }
        if choice?.isCollectionRejected == true { rejected.append(["stage": "COLLSCAN"]) }
        let milliseconds = Double(elapsed.components.seconds) * 1e3 + Double(elapsed.components.attoseconds) / 1e15
        return [
            "winning_plan": .document(winning),
            "rejected_plans": .array(rejected),
            "execution": [
                "returned": .int(Int64(count)), "keys_examined": .int(Int64(keysExamined)),
                "documents_examined": .int(Int64(examined)), "milliseconds": .double(milliseconds)
            ]
        ]
    }

    private var documentPlan: Document {
        switch plannedSource {
        case .nothing: return ["stage": "EOF"]
        case .keys(let keys): return ["stage": "IDHACK", "ids": .int(Int64(keys.count))]
        case .scan:
            guard case .any = filter.idConstraint else { return ["stage": "IDSCAN"] }
            return ["stage": "COLLSCAN", "direction": .string(isReverseScan ? "backward" : "forward")]
        }
    }

    private static func explain(_ plan: IndexPlan) -> Document {
        if plan.scans.count == 1 { return explain(plan.scans[0], isCovered: plan.isCovered) }
        return [
            "stage": "OR", "inputs": .array(plan.scans.map { .document(explain($0, isCovered: false)) })
        ]
    }

    private static func explain(_ scan: IndexScan, isCovered: Bool) -> Document {
        let fields = scan.index.definition.keys
        let bounds = zip(fields, scan.bounds).enumerated().map { position, field in
            // Fields behind the ones that decide where to look are only told as far as they narrow the scan.
            let intervals = position < scan.boundedFields ? field.1 : .everything
            let shown = intervals.list.prefix(20).map { Value.string($0.description) }
            let rest = intervals.list.count - shown.count
            return (field.0.path, Value.array(shown + (rest > 0 ? [.string("… and \(rest) more")] : [])))
        }
        return [
            "stage": .string(isCovered ? "COUNT_SCAN" : "IXSCAN"), "index": .string(scan.index.name),
            "keys": .document(Document(fields.map { ($0.path, .int($0.isDescending ? -1 : 1)) })),
            "multikey": .bool(scan.marks.multikey != 0),
            "direction": .string(scan.isReverse ? "backward" : "forward"),
            "bounds": .document(Document(bounds))
        ]
    }
}
