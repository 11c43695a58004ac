import NexaValue

/// A compiled expression.
indirect enum ExpressionNode: Sendable {
    /// A value that stands for itself; `nil` is `$$REMOVE`.
    case literal(Value?)
    /// A path into the document; without names the whole document.
    case path(ExpressionPath)
    /// A variable that the expression binds, by its place among those in sight, and a path into it.
    case bound(Int, ExpressionPath)
    /// A variable of the context, and a path into it.
    case variable(String, ExpressionPath)
    /// `$$NOW`
    case now
    case array([ExpressionNode])
    case object([(name: String, value: ExpressionNode)])
    /// An operator whose arguments are all evaluated first.
    case call(ExpressionCall)
    /// The same; when it fails, the handler's value stands instead.
    case attempt(ExpressionCall, handler: ExpressionNode)
    case compare(ExpressionComparison, ExpressionNode, ExpressionNode)
    /// A path compared with a literal, which needs no decoding.
    case test(ExpressionComparison, ExpressionPath, Operand, Value)
    case all([ExpressionNode])
    case any([ExpressionNode])
    case conditional(ExpressionNode, ExpressionNode, ExpressionNode)
    case firstNonNull([ExpressionNode])
    case branches([(condition: ExpressionNode, value: ExpressionNode)], otherwise: ExpressionNode?)
    /// Binds variables for a body; their values do not see each other.
    case bind([ExpressionNode], body: ExpressionNode)
    case map(ExpressionNode, body: ExpressionNode)
    case filter(ExpressionNode, condition: ExpressionNode, limit: ExpressionNode?)
    case reduce(ExpressionNode, initial: ExpressionNode, body: ExpressionNode)
    case sort(ExpressionNode, ExpressionSort)
    case search(ExpressionSearch)
}

/// A path, as names for decoded documents and as parts for encoded ones.
struct ExpressionPath: Sendable {
    let names: [String]
    let parts: [FieldPath.Part]

    static let whole = ExpressionPath(names: [], parts: [])

    private init(names: [String], parts: [FieldPath.Part]) {
        self.names = names
        self.parts = parts
    }

    init(_ path: Substring) throws(QueryError) {
        let text = String(path)
        parts = try FieldPath(text).parts
        names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !names.contains("") else { throw QueryError(.invalidPath, "the path \"$\(text)\" has an empty part") }
        if let name = names.first(where: { $0.utf8.first == 0x24 }) {
            throw QueryError(
                .invalidPath, "a field of a path cannot begin with $: \(name); $getField reads such fields")
        }
    }
}

/// An operator and its arguments.
final class ExpressionCall: Sendable {
    let function: ExpressionFunction
    let arguments: [ExpressionNode]
    /// One bit for each argument that the expression has; others are `.literal(nil)`.
    let given: UInt32

    init(_ function: ExpressionFunction, _ arguments: [ExpressionNode], given: UInt32 = .max) {
        self.function = function
        self.arguments = arguments
        self.given = given
    }
}

/// The arguments of one application of an operator.
struct ExpressionArguments {
    /// The name of the operator, for errors.
    let name: String
    let values: [Value?]
    let given: UInt32

    var count: Int { values.count }
    /// An argument; `nil` when it is missing.
    subscript(_ index: Int) -> Value? { values[index] }
    /// Whether the expression has this optional argument at all.
    func has(_ index: Int) -> Bool { index < values.count && given & (1 << UInt32(min(index, 31))) != 0 }
    /// Whether an argument is missing or null.
    func isNull(_ index: Int) -> Bool { values[index].isNullish }
    /// Whether any argument is missing or null.
    var hasNull: Bool { values.contains { $0.isNullish } }
}

/// What an operator does with its arguments, and how they are written.
struct ExpressionFunction: Sendable {
    typealias Body = @Sendable (ExpressionArguments, inout ExpressionContext) throws(QueryError) -> Value?

    /// How arguments are written.
    enum Shape: Sendable {
        /// `{$op: [a, b]}`, or `{$op: a}` for one.
        case positional(Int, Int)
        /// `{$op: {name: a}}`
        case named([Parameter])
        /// `{$op: date}`, `{$op: [date]}` or `{$op: {date: date, timezone: zone}}`
        case date
    }

    struct Parameter: Sendable {
        let name: String
        let isRequired: Bool

        static func required(_ name: String) -> Parameter { Parameter(name: name, isRequired: true) }
        static func optional(_ name: String) -> Parameter { Parameter(name: name, isRequired: false) }
    }

    let name: String
    let shape: Shape
    /// Whether results are built, as opposed to taken from an argument; what is built is counted.
    let builds: Bool
    let body: Body

    init(_ name: String, _ shape: Shape, builds: Bool = true, _ body: @escaping Body) {
        self.name = name
        self.shape = shape
        self.builds = builds
        self.body = body
    }

    /// An operator with exactly so many arguments.
    init(_ name: String, _ count: Int, builds: Bool = true, _ body: @escaping Body) {
        self.init(name, .positional(count, count), builds: builds, body)
    }

    /// All operators whose arguments are all evaluated first.
    static let known: [String: ExpressionFunction] = {
        let families = [
            arithmetic, rounding, statistics, strings, stringSearch, types, dateParts, dateText, dateArithmetic, arrays,
            arrayBuilding, sets, objects
        ]
        var known: [String: ExpressionFunction] = [:]
        for function in families.joined() { known[function.name] = function }
        return known
    }()
}

extension Value? {
    /// Missing or null.
    var isNullish: Bool {
        switch self {
        case nil, .some(.null): true
        default: false
        }
    }

    /// Neither missing, null, false nor zero.
    var isTrue: Bool {
        switch self {
        case nil, .some(.null), .some(.bool(false)), .some(.int(0)): false
        case .some(.double(let value)): value != 0
        default: true
        }
    }

    /// The name of the kind, as `$type` gives it.
    var typeName: String {
        switch self {
        case nil: "missing"
        case .some(.null): "null"
        case .some(.bool): "bool"
        case .some(.int(let value)): Int32(exactly: value) == nil ? "long" : "int"
        case .some(.uint): "long"
        case .some(.double): "double"
        case .some(.string): "string"
        case .some(.bytes): "binData"
        case .some(.array), .some(.vector): "array"
        case .some(.document): "object"
        case .some(.timestamp): "date"
        case .some(.extended): "extension"
        }
    }

    /// The elements of an array of any kind.
    var elements: [Value]? {
        switch self {
        case .some(.array(let elements)): elements
        case .some(.vector(let vector)): vector.map { .double(Double($0)) }
        default: nil
        }
    }
}

extension QueryError {
    static func expression(_ message: String) -> QueryError { QueryError(.invalidOperand, message) }
}
