import NexaValue

extension ExpressionFunction {
    static let objects: [ExpressionFunction] = [
        ExpressionFunction("$mergeObjects", .positional(0, .max), merge),
        ExpressionFunction("$objectToArray", 1, pairs),
        ExpressionFunction("$arrayToObject", 1, object)
    ]

    static let getField = ExpressionFunction("$getField", .named(.getField), builds: false) {
        (arguments, _) throws(QueryError) in
        let name = try fieldName(arguments)
        switch arguments[1] {
        case .some(.document(let document)): return document[name]
        case .some(.null): return .null
        default: return nil
        }
    }

    static let setField = ExpressionFunction("$setField", .named(.setField)) { (arguments, _) throws(QueryError) in
        try setting(arguments[2], arguments)
    }

    static let unsetField = ExpressionFunction("$unsetField", .named(.unsetField)) {
        (arguments, _) throws(QueryError) in
        try setting(nil, arguments)
    }

    private static func fieldName(_ arguments: ExpressionArguments) throws(QueryError) -> String {
        guard case .some(.string(let name)) = arguments[0] else {
            throw .expression(
                "\(arguments.name) requires 'field' to evaluate to type String, but got \(arguments[0].typeName)")
        }
        return name
    }

    private static func setting(_ value: Value?, _ arguments: ExpressionArguments) throws(QueryError) -> Value? {
        let name = try fieldName(arguments)
        if arguments.isNull(1) { return .null }
        guard case .some(.document(var document)) = arguments[1] else {
            throw .expression(
                "\(arguments.name) requires 'input' to evaluate to type Object, but got \(arguments[1].typeName)")
        }
        document[name] = value
        return .document(document)
    }

    private static func merge(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var result = Document()
        for value in arguments.values where !value.isNullish {
            guard case .some(.document(let document)) = value else {
                throw .expression("$mergeObjects requires object inputs, but input is of type \(value.typeName)")
            }
            try context.reserve(elements: document.count)
            for (name, value) in document { result[name] = .some(value) }
        }
        return .document(result)
    }

    private static func pairs(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard case .some(.document(let document)) = arguments[0] else {
            throw .expression("$objectToArray requires a document input, found: \(arguments[0].typeName)")
        }
        try context.reserve(elements: document.count * 3)
        return .array(document.map { .document(["k": .string($0.key), "v": $0.value]) })
    }

    private static func object(
        _ arguments: ExpressionArguments, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if arguments.hasNull { return .null }
        guard let elements = arguments[0].elements else {
            throw .expression("$arrayToObject requires an array input, found: \(arguments[0].typeName)")
        }
        try context.reserve(elements: elements.count)
        var result = Document()
        for element in elements {
            guard (element.array != nil) == (elements[0].array != nil) else {
                throw .expression("$arrayToObject requires a consistent input format, found pairs and documents")
            }
            let name: Value?
            let value: Value?
            switch element {
            case .document(let pair):
                guard pair.count == 2, let key = pair["k"], pair["v"] != nil else {
                    throw .expression("$arrayToObject requires an object with exactly the keys 'k' and 'v'")
                }
                (name, value) = (key, pair["v"])
            case .array(let pair):
                guard pair.count == 2 else {
                    throw .expression("$arrayToObject requires an array of size 2 arrays, found size: \(pair.count)")
                }
                (name, value) = (pair[0], pair[1])
            default:
                throw .expression(
                    "Unrecognised input type format for $arrayToObject: \(Optional(element).typeName)")
            }
            guard case .some(.string(let key)) = name else {
                throw .expression("$arrayToObject requires the key to be of type string, found: \(name.typeName)")
            }
            guard !key.utf8.contains(0) else {
                throw .expression("$arrayToObject: a key cannot contain a null byte")
            }
            result[key] = value
        }
        return .document(result)
    }
}
