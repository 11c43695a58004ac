import NexaValue

/// Conditions that must all hold for one document: what a filter is compiled to.
///
/// The conditions on fields are grouped by the first name of their path, so that one walk over the fields of a
/// document serves them all.
final class Conjunction: Sendable {
    /// The conditions below one field of the document.
    struct Group: Sendable {
        let name: FieldPath.Part
        var tests: [FieldTest]
    }

    /// What the first comparison of a name needs, and of numbers with the value, without pointers to follow.
    struct Probe: Sendable {
        let prefix: UInt64
        let length: Int
        let numbers: NumberRange?
    }

    /// At most 64 groups, one bit each in the record of those seen; further ones are in `others`.
    let groups: [Group]
    /// The names of the groups, in their order.
    let probes: [Probe]
    let others: [Node]

    static let maximumGroups = 64

    init(groups: [Group], others: [Node]) {
        self.groups = groups
        self.others = others
        probes = groups.map {
            Probe(prefix: $0.name.prefix, length: $0.name.name.count, numbers: NumberRange($0.tests))
        }
    }

    /// True when every document fulfils it.
    var isEmpty: Bool { groups.isEmpty && others.isEmpty }
}

/// A condition that combines others.
enum Node: Sendable {
    case all(Conjunction)
    case any([Conjunction])
    case none([Conjunction])
    /// `$expr`, with the moment for `$$NOW`.
    case expression(Expression, now: Timestamp)
}

/// A condition on what a path leads to.
struct FieldTest: Sendable {
    /// The path behind the name of the group.
    let rest: [FieldPath.Part]
    let predicate: Predicate
    /// The condition holds when no value at the path fulfils the predicate.
    let isNegated: Bool
    let matchesMissing: Bool
    let seesElements: Bool

    init(rest: [FieldPath.Part], predicate: Predicate, isNegated: Bool) {
        self.rest = rest
        self.predicate = predicate
        self.isNegated = isNegated
        matchesMissing = predicate.matchesMissing
        seesElements = predicate.seesElements
    }
}

/// A condition on one value.
enum Predicate: Sendable {
    case equal(Operand)
    case less(Operand, orEqual: Bool)
    case greater(Operand, orEqual: Bool)
    case oneOf(OperandSet)
    case exists
    case pattern(Pattern)
    case kind(KindSet)
    case remainder(divisor: Int64, equals: Int64)
    case size(Int)
    /// `$elemMatch` with fields: some element is a document that fulfils them.
    case elementDocument(Conjunction)
    /// `$elemMatch` with operators: some element fulfils them all.
    case elementValue([ElementTest])
    case never

    /// A missing field counts as null, and does not exist.
    var matchesMissing: Bool {
        switch self {
        case .equal(let operand): operand.isNull
        case .less(let operand, let orEqual), .greater(let operand, let orEqual): orEqual && operand.isNull
        case .oneOf(let operands): operands.containsNull
        default: false
        }
    }

    /// Whether the elements of an array are tried before the array itself.
    var seesElements: Bool {
        switch self {
        case .size, .elementDocument, .elementValue, .exists, .never: false
        default: true
        }
    }
}

/// A condition inside `$elemMatch` on the element itself.
indirect enum ElementTest: Sendable {
    case fulfils(Predicate, isNegated: Bool)
    /// `$not` of several operators.
    case notAll([ElementTest])
}

/// The kinds that `$type` names.
struct KindSet: OptionSet, Sendable {
    let rawValue: UInt16

    static let double = KindSet(rawValue: 1 << 0)
    static let integer = KindSet(rawValue: 1 << 1)
    static let string = KindSet(rawValue: 1 << 2)
    static let document = KindSet(rawValue: 1 << 3)
    static let array = KindSet(rawValue: 1 << 4)
    static let binary = KindSet(rawValue: 1 << 5)
    static let boolean = KindSet(rawValue: 1 << 6)
    static let timestamp = KindSet(rawValue: 1 << 7)
    static let null = KindSet(rawValue: 1 << 8)
    static let extended = KindSet(rawValue: 1 << 9)

    init(rawValue: UInt16) { self.rawValue = rawValue }

    init(_ head: MessagePackReader.Head) {
        switch head {
        case .null: self = .null
        case .bool: self = .boolean
        case .int, .uint: self = .integer
        case .double: self = .double
        case .string: self = .string
        case .bytes: self = .binary
        case .array: self = .array
        case .map: self = .document
        case .extended(type: -1, _): self = .timestamp
        case .extended: self = .extended
        }
    }

    /// The names and numbers of MongoDB; its 32-bit and 64-bit integers are one kind here.
    static let names: [(name: String, code: Int64, kinds: KindSet)] = [
        ("double", 1, .double), ("string", 2, .string), ("object", 3, .document), ("array", 4, .array),
        ("binData", 5, .binary), ("bool", 8, .boolean), ("date", 9, .timestamp), ("null", 10, .null),
        ("int", 16, .integer), ("timestamp", 17, .timestamp), ("long", 18, .integer),
        ("number", -2, [.integer, .double]), ("extension", -3, .extended)
    ]

    /// Kinds of MongoDB that no value here has.
    static let strangers: [(name: String, code: Int64)] = [
        ("undefined", 6), ("objectId", 7), ("regex", 11), ("dbPointer", 12), ("javascript", 13), ("symbol", 14),
        ("javascriptWithScope", 15), ("decimal", 19), ("minKey", -1), ("maxKey", 127)
    ]
}
