import NexaValue

/// Turns a filter into a program, and refuses what has no meaning.
struct FilterCompiler {
    let limits: QueryFilter.Limits
    private var conditions = 0
    private(set) var listedValues = 0
    private var patterns = 0
    private var expressions = 0
    /// Whether there are regular expressions or `$expr`, which may take long for one document.
    var isCostly: Bool { patterns + expressions > 0 }
    /// Whether `$expr` has its place here: it speaks of whole documents.
    private var allowsExpressions: Bool

    static let logicalOperators = ["$and", "$or", "$nor"]
    static let topLevelOperators = logicalOperators + ["$expr", "$comment"]
    static let fieldOperators = [
        "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$options", "$not", "$size",
        "$all", "$elemMatch", "$type", "$mod"
    ]

    init(limits: QueryFilter.Limits, allowsExpressions: Bool) {
        self.limits = limits
        self.allowsExpressions = allowsExpressions
    }

    // MARK: Filters

    /// Compiles `{field: condition, …, $and: […]}`.
    mutating func conjunction(_ filter: Document, depth: Int) throws(QueryError) -> Conjunction {
        var builder = ConjunctionBuilder()
        try add(filter, to: &builder, depth: depth)
        return builder.finished()
    }

    private mutating func add(_ filter: Document, to builder: inout ConjunctionBuilder, depth: Int) throws(QueryError) {
        try check(depth)
        for (name, value) in filter {
            try countCondition()
            guard name.utf8.first == 0x24 else {
                let path = try FieldPath(name)
                for test in try condition(value, depth: depth + 1) { builder.add(test, at: path) }
                continue
            }
            switch name {
            case "$and":
                for part in try filters(name, value) { try add(part, to: &builder, depth: depth + 1) }
            case "$or": builder.add(.any(try conjunctions(name, value, depth: depth + 1)))
            case "$nor": builder.add(.none(try conjunctions(name, value, depth: depth + 1)))
            case "$expr": builder.add(try expression(value))
            // A note to whoever reads the filter.
            case "$comment": break
            case _ where Self.fieldOperators.contains(name):
                throw QueryError(.unknownOperator, "\(name) needs a field: write {field: {\(name): …}}")
            default: throw .unknownOperator(name, known: Self.topLevelOperators)
            }
        }
    }

    private mutating func expression(_ value: Value) throws(QueryError) -> Node {
        guard allowsExpressions else {
            throw QueryError(.invalidOperand, "$expr stands where a filter speaks of whole documents, not here")
        }
        let expression = try Expression(compiling: value)
        expressions += 1
        try countCondition(expression.nodeCount)
        try countPattern(expression.patternCount)
        return .expression(expression, now: ExpressionContext().now)
    }

    private func filters(_ name: String, _ value: Value) throws(QueryError) -> [Document] {
        guard case .array(let values) = value else { throw .operand(name, needs: "an array of filters", found: value) }
        guard !values.isEmpty else { throw QueryError(.invalidOperand, "\(name) needs at least one filter") }
        var filters: [Document] = []
        for value in values {
            guard case .document(let filter) = value else {
                throw .operand(name, needs: "documents in its array", found: value)
            }
            filters.append(filter)
        }
        return filters
    }

    private mutating func conjunctions(
        _ name: String, _ value: Value, depth: Int
    ) throws(QueryError) -> [Conjunction] {
        var programs: [Conjunction] = []
        for filter in try filters(name, value) { programs.append(try conjunction(filter, depth: depth)) }
        return programs
    }

    // MARK: Conditions on a field

    /// Compiles what stands behind a field name: operators, or a literal to be equal to.
    private mutating func condition(_ value: Value, depth: Int) throws(QueryError) -> [ElementTest] {
        guard case .document(let document) = value, try hasOperators(document) else {
            return [.fulfils(.equal(try literal(value, depth: depth)), isNegated: false)]
        }
        return try operators(document, depth: depth)
    }

    /// True when all names begin with `$`, false when none does.
    private func hasOperators(_ document: Document) throws(QueryError) -> Bool {
        let operators = document.filter { $0.key.utf8.first == 0x24 }
        guard let first = operators.first else { return false }
        if let name = document.first(where: { $0.key.utf8.first != 0x24 })?.key {
            throw QueryError(
                .invalidOperand, "\(first.key) and the field \"\(name)\" cannot stand side by side in one condition")
        }
        return true
    }

    /// Compiles `{$operator: operand, …}`; all of the tests must hold, each for a value of its own.
    private mutating func operators(_ document: Document, depth: Int) throws(QueryError) -> [ElementTest] {
        try check(depth)
        var tests: [ElementTest] = []
        for (name, operand) in document {
            try countCondition()
            switch name {
            case "$not": tests.append(try negation(operand, depth: depth + 1))
            case "$all": tests += try all(operand, depth: depth + 1)
            case "$options":
                guard document["$regex"] != nil else {
                    throw QueryError(.invalidOperand, "$options needs $regex beside it")
                }
            case "$regex":
                let pattern = try pattern(operand, options: document["$options"] ?? "")
                tests.append(.fulfils(.pattern(pattern), isNegated: false))
            case "$ne": tests.append(.fulfils(.equal(try literal(operand, depth: depth)), isNegated: true))
            case "$nin": tests.append(.fulfils(.oneOf(try listed(name, operand, depth: depth)), isNegated: true))
            case "$exists": tests.append(.fulfils(.exists, isNegated: try !boolean(name, operand)))
            default: tests.append(.fulfils(try predicate(name, operand, depth: depth), isNegated: false))
            }
        }
        return tests
    }

    private mutating func predicate(_ name: String, _ operand: Value, depth: Int) throws(QueryError) -> Predicate {
        switch name {
        case "$eq": return .equal(try literal(operand, depth: depth))
        case "$gt": return .greater(try literal(operand, depth: depth), orEqual: false)
        case "$gte": return .greater(try literal(operand, depth: depth), orEqual: true)
        case "$lt": return .less(try literal(operand, depth: depth), orEqual: false)
        case "$lte": return .less(try literal(operand, depth: depth), orEqual: true)
        case "$in": return .oneOf(try listed(name, operand, depth: depth))
        case "$size":
            guard let size = operand.int, size >= 0 else {
                throw .operand(name, needs: "a whole number from 0", found: operand)
            }
            return .size(Int(size))
        case "$mod": return try remainder(name, operand)
        case "$type": return .kind(try kinds(name, operand))
        case "$elemMatch": return try element(operand, depth: depth + 1)
        case _ where Self.topLevelOperators.contains(name):
            throw QueryError(.unknownOperator, "\(name) stands beside fields, not in the condition of one")
        default: throw .unknownOperator(name, known: Self.fieldOperators)
        }
    }

    private mutating func negation(_ operand: Value, depth: Int) throws(QueryError) -> ElementTest {
        guard case .document(let document) = operand, document.first?.key.utf8.first == 0x24,
            try hasOperators(document)
        else { throw .operand("$not", needs: "a document of operators", found: operand) }
        let tests = try operators(document, depth: depth)
        if tests.count == 1, case .fulfils(let predicate, let isNegated) = tests[0] {
            return .fulfils(predicate, isNegated: !isNegated)
        }
        return .notAll(tests)
    }

    private mutating func all(_ operand: Value, depth: Int) throws(QueryError) -> [ElementTest] {
        guard case .array(let values) = operand else { throw .operand("$all", needs: "an array", found: operand) }
        guard !values.isEmpty else { return [.fulfils(.never, isNegated: false)] }
        try count(listed: values.count)
        var tests: [ElementTest] = []
        for value in values {
            if case .document(let document) = value, document.first?.key.utf8.first == 0x24 {
                guard document.count == 1, let condition = document["$elemMatch"] else {
                    throw QueryError(.invalidOperand, "$all takes values or $elemMatch, found \(document[0].key)")
                }
                tests.append(.fulfils(try element(condition, depth: depth + 1), isNegated: false))
            } else {
                tests.append(.fulfils(.equal(try literal(value, depth: depth)), isNegated: false))
            }
        }
        return tests
    }

    private mutating func element(_ operand: Value, depth: Int) throws(QueryError) -> Predicate {
        guard case .document(let document) = operand else {
            throw .operand("$elemMatch", needs: "a document", found: operand)
        }
        if let first = document.first?.key, first.utf8.first == 0x24, !Self.topLevelOperators.contains(first),
            try hasOperators(document)
        {
            return .elementValue(try operators(document, depth: depth))
        }
        let outer = allowsExpressions
        allowsExpressions = false
        defer { allowsExpressions = outer }
        return .elementDocument(try conjunction(document, depth: depth))
    }

    // MARK: Operands

    private func literal(_ value: Value, depth: Int) throws(QueryError) -> Operand {
        try checkNesting(value, depth: 0)
        return Operand(value)
    }

    private mutating func listed(_ name: String, _ operand: Value, depth: Int) throws(QueryError) -> OperandSet {
        guard case .array(let values) = operand else { throw .operand(name, needs: "an array", found: operand) }
        try count(listed: values.count)
        for value in values {
            try checkNesting(value, depth: 0)
            if case .document(let document) = value, let first = document.first?.key, first.utf8.first == 0x24 {
                throw QueryError(.invalidOperand, "\(name) lists values, not operators such as \(first)")
            }
        }
        return OperandSet(values)
    }

    private mutating func pattern(_ operand: Value, options: Value) throws(QueryError) -> Pattern {
        guard case .string(let text) = operand else { throw .operand("$regex", needs: "a string", found: operand) }
        guard case .string(let letters) = options else { throw .operand("$options", needs: "a string", found: options) }
        try countPattern(1)
        return try Pattern(text, options: letters)
    }

    private mutating func countPattern(_ count: Int) throws(QueryError) {
        patterns += count
        guard patterns <= limits.maximumPatterns else {
            throw .limit("the filter has more than \(limits.maximumPatterns) regular expressions")
        }
    }

    private func boolean(_ name: String, _ operand: Value) throws(QueryError) -> Bool {
        if let bool = operand.bool { return bool }
        if operand.isNull { return false }
        guard let number = operand.double else { throw .operand(name, needs: "true or false", found: operand) }
        return number != 0
    }

    private func remainder(_ name: String, _ operand: Value) throws(QueryError) -> Predicate {
        guard case .array(let values) = operand else {
            throw .operand(name, needs: "an array [divisor, remainder]", found: operand)
        }
        var numbers: [Int64] = []
        for value in values {
            guard let number = value.double, let whole = value.int ?? Int64(exactly: number.rounded(.towardZero)) else {
                throw .operand(name, needs: "two numbers", found: value)
            }
            numbers.append(whole)
        }
        guard numbers.count == 2 else {
            throw QueryError(.invalidOperand, "$mod needs [divisor, remainder], found \(numbers.count) element(s)")
        }
        guard numbers[0] != 0 else { throw QueryError(.invalidOperand, "$mod cannot divide by 0") }
        return .remainder(divisor: numbers[0], equals: numbers[1])
    }

    private func kinds(_ name: String, _ operand: Value) throws(QueryError) -> KindSet {
        if case .array(let values) = operand {
            guard !values.isEmpty else { throw QueryError(.invalidOperand, "$type needs at least one kind") }
            var kinds: KindSet = []
            for value in values {
                if case .array = value { throw .operand(name, needs: "names of kinds", found: value) }
                kinds.formUnion(try self.kinds(name, value))
            }
            return kinds
        }
        if let code = operand.int {
            if let known = KindSet.names.first(where: { $0.code == code && code > 0 }) { return known.kinds }
            if KindSet.strangers.contains(where: { $0.code == code }) { return [] }
        }
        guard case .string(let kind) = operand else {
            throw .operand(name, needs: "the name or number of a kind", found: operand)
        }
        if KindSet.strangers.contains(where: { $0.name == kind }) { return [] }
        guard let known = KindSet.names.first(where: { $0.name == kind }) else {
            let names = KindSet.names.map(\.name).joined(separator: ", ")
            throw QueryError(.invalidOperand, "$type does not know \"\(kind)\"; it knows \(names)")
        }
        return known.kinds
    }

    // MARK: Limits

    private func check(_ depth: Int) throws(QueryError) {
        guard depth < limits.maximumDepth else {
            throw .limit("the filter nests deeper than \(limits.maximumDepth) levels")
        }
    }

    private func checkNesting(_ value: Value, depth: Int) throws(QueryError) {
        switch value {
        case .array(let values):
            try check(depth)
            for value in values { try checkNesting(value, depth: depth + 1) }
        case .document(let document):
            try check(depth)
            for (_, value) in document { try checkNesting(value, depth: depth + 1) }
        default: break
        }
    }

    private mutating func countCondition(_ count: Int = 1) throws(QueryError) {
        conditions += count
        guard conditions <= limits.maximumConditions else {
            throw .limit("the filter has more than \(limits.maximumConditions) conditions")
        }
    }

    private mutating func count(listed count: Int) throws(QueryError) {
        listedValues += count
        guard listedValues <= limits.maximumListedValues else {
            throw .limit("the filter lists more than \(limits.maximumListedValues) values")
        }
    }
}
