import NexaQuery
import NexaValue
import Testing

@Suite struct IDConstraintTests {
    private typealias Bound = IDConstraint.Bound

    static let rows: [(String, IDConstraint)] = [
        ("{}", .any), ("{a: 1}", .any), ("{_id: 'x'}", .oneOf(["x"])), ("{_id: 5.0, a: 2}", .oneOf([5])),
        ("{_id: {$eq: 'x'}}", .oneOf(["x"])), ("{_id: {$in: ['x', 'y', 'x', 1, 1.0]}}", .oneOf(["x", "y", 1])),
        ("{_id: {$in: []}}", .oneOf([])), ("{_id: null}", .any), ("{_id: {$in: ['x', null]}}", .any),
        ("{_id: [1]}", .any),
        ("{_id: {a: 1}}", .any), ("{_id: {$ne: 'x'}}", .any), ("{_id: {$not: {$eq: 'x'}}}", .any),
        ("{_id: {$gt: null}}", .any),
        ("{_id: {$regex: '^x'}}", .any), ("{_id: NaN}", .any), ("{'_id.a': 1}", .any),
        ("{_id: {$gt: 'a'}}", .range(lower: Bound("a", isInclusive: false), upper: nil)),
        (
            "{_id: {$gte: 5, $lt: 9.5}}",
            .range(lower: Bound(5, isInclusive: true), upper: Bound(9.5, isInclusive: false))
        ),
        ("{_id: {$gte: 5, $gt: 5}}", .range(lower: Bound(5, isInclusive: false), upper: nil)),
        ("{_id: {$gt: 5, $gte: 5}}", .range(lower: Bound(5, isInclusive: false), upper: nil)),
        ("{$and: [{_id: {$lte: 'm'}}, {_id: {$lte: 'c'}}]}", .range(lower: nil, upper: Bound("c", isInclusive: true))),
        ("{_id: {$in: ['a', 'b', 'c']}, $and: [{_id: {$gt: 'a', $lt: 'c'}}]}", .oneOf(["b"])),
        ("{_id: {$in: ['a', 'b']}, $and: [{_id: {$in: ['b', 'c']}}]}", .oneOf(["b"])),
        ("{$or: [{_id: 'a'}, {_id: {$in: ['b', 'a']}}]}", .oneOf(["a", "b"])), ("{$or: [{_id: 'a'}, {b: 1}]}", .any),
        ("{$or: [{_id: 'a'}, {b: 1}], _id: 'z'}", .oneOf(["z"])), ("{$nor: [{_id: 'a'}]}", .any),
        ("{_id: {$in: ['é', 'e\\u0301']}}", .oneOf(["é", "e\u{301}"]))
    ]

    @Test(arguments: rows) func saysWhatTheFilterRequires(filter: String, expected: IDConstraint) throws {
        let constraint = try QueryFilter(compiling: relaxed(filter)).idConstraint
        #expect(constraint == expected)
        if case .oneOf(let values) = constraint, case .oneOf(let wanted) = expected {
            #expect(values.count == wanted.count)
        }
    }
}
