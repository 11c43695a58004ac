import NexaValue

/// Applies a program to one document.
struct UpdateApplication {
    let program: UpdateProgram
    private let matchedIndex: Int?
    let now: Timestamp
    let id: Value?
    let isInsert: Bool
    /// The values that renames take along.
    var renamed: [Value?] = []
    /// The way to the value at hand, for messages.
    var path: [String] = []
    var steps = 0
    var addedElements = 0
    /// The top-level fields that are not what they were.
    var changed: [String] = []

    init(_ program: UpdateProgram, matchedIndex: Int?, now: Timestamp, id: Value?, isInsert: Bool = false) {
        self.program = program
        self.matchedIndex = matchedIndex
        self.now = now
        self.id = id
        self.isInsert = isInsert
    }

    static var immutableID: QueryError {
        QueryError(
            .notApplicable, "Performing an update on the path '_id' would modify the immutable field '_id'")
    }

    /// Applies the whole program to a document that has all fields that the program touches.
    mutating func apply(to document: inout Document) throws(QueryError) {
        for rename in program.renames { renamed.append(try take(rename, from: &document)) }
        guard case .fields(let children, let matched) = program.root else { return }
        _ = try applyFields(try effective(children, matched), to: &document)
    }

    /// What became of the touched fields.
    func changes(in document: Document) throws(QueryError) -> FieldChanges? {
        guard !changed.contains("_id") else { throw Self.immutableID }
        var size = UpdateSize()
        var fields = Document()
        var removed: [String] = []
        var seen = Set<[UInt8]>()
        var isModified = false
        for name in changed where seen.insert(Array(name.utf8)).inserted && name != "_created_at" {
            isModified = true
            if name == "_updated_at" { continue }
            if let value = document[name] {
                try size.add(value, depth: 1)
                fields[name] = .some(value)
            } else {
                removed.append(name)
            }
        }
        return isModified ? FieldChanges(fields: MessagePack.encode(fields), removed: removed) : nil
    }

    // MARK: Walking

    /// The children with the one that `$` means among them.
    func effective(
        _ children: [UpdateNode.Child], _ matched: UpdateNode?
    ) throws(QueryError) -> [UpdateNode.Child] {
        guard let matched else { return children }
        guard let matchedIndex else {
            throw QueryError(
                .notApplicable, "The positional operator did not find the match needed from the query.")
        }
        let addition = UpdateNode.fields([UpdateNode.Child(String(matchedIndex), matched)], matched: nil)
        let merged = try UpdateNode.merged(.fields(children, matched: nil), addition, at: path)
        guard case .fields(let all, _) = merged else {
            return children
        }
        return all
    }

    /// Updates the fields of a document; true when one of them changed.
    mutating func applyFields(
        _ children: [UpdateNode.Child], to document: inout Document
    ) throws(QueryError) -> Bool {
        var hasChanged = false
        var gone: [String] = []
        for child in children {
            path.append(child.name)
            defer { path.removeLast() }
            let childChanged: Bool
            if var value = document[child.name] {
                if case .leaf(.unset) = child.node {
                    gone.append(child.name)
                    childChanged = true
                } else {
                    // Moved out, so that the arrays in it are not copied when they change.
                    document[child.name] = .some(.null)
                    childChanged = try apply(child.node, to: &value)
                    document[child.name] = .some(value)
                }
            } else if let value = try create(child.node) {
                document[child.name] = .some(value)
                childChanged = true
            } else {
                childChanged = false
            }
            guard childChanged else { continue }
            hasChanged = true
            if path.count == 1 { changed.append(child.name) }
        }
        document.remove(gone)
        return hasChanged
    }

    /// Updates a value that is there; true when it changed.
    mutating func apply(_ node: UpdateNode, to value: inout Value) throws(QueryError) -> Bool {
        try step()
        switch node {
        case .renamed: return false
        case .leaf(let modification): return try modify(modification, &value)
        case .fields(let children, let matched):
            let children = try effective(children, matched)
            switch value {
            case .document(var document):
                value = .null
                let hasChanged = try applyFields(children, to: &document)
                value = .document(document)
                return hasChanged
            case .array, .vector:
                var array = value.elements ?? []
                value = .null
                let hasChanged = try applyIndexes(children, to: &array)
                value = .array(array)
                return hasChanged
            default:
                for child in children { try refuse(child, in: value) }
                return false
            }
        case .elements(let selections):
            guard var array = value.elements else {
                throw QueryError(
                    .notApplicable, "Cannot apply array updates to non-array element \(name): \(value.brief)")
            }
            value = .null
            let hasChanged = try applySelections(selections, to: &array)
            value = .array(array)
            return hasChanged
        }
    }

    mutating func applyIndexes(
        _ children: [UpdateNode.Child], to array: inout [Value]
    ) throws(QueryError) -> Bool {
        var hasChanged = false
        for child in children {
            guard child.index >= 0 else {
                try refuse(child, in: .array(array))
                continue
            }
            path.append(child.name)
            defer { path.removeLast() }
            if child.index < array.count {
                if try applyElement(child.node, to: &array, at: child.index) { hasChanged = true }
            } else if let value = try create(child.node) {
                let gap = child.index - array.count
                guard gap <= UpdateProgram.maximumGap else {
                    throw .limit(
                        "the index \(child.index) of '\(pathText)' lies more than \(UpdateProgram.maximumGap)"
                            + " elements behind the end of the array")
                }
                try add(elements: gap + 1)
                array.append(contentsOf: repeatElement(.null, count: gap))
                array.append(value)
                hasChanged = true
            }
        }
        return hasChanged
    }

    mutating func applySelections(
        _ selections: [UpdateNode.Selection], to array: inout [Value]
    ) throws(QueryError) -> Bool {
        var hasChanged = false
        var merged: [[Int]: UpdateNode] = [:]
        for index in array.indices {
            try step()
            var chosen: [Int] = []
            for (number, selection) in selections.enumerated() {
                guard let filter = selection.filter else {
                    chosen.append(number)
                    continue
                }
                if try program.filters[filter].holds(array[index]) { chosen.append(number) }
            }
            guard let first = chosen.first else { continue }
            path.append(String(index))
            defer { path.removeLast() }
            var node = selections[first].node
            if chosen.count > 1 {
                if let known = merged[chosen] {
                    node = known
                } else {
                    for number in chosen.dropFirst() {
                        node = try .merged(node, selections[number].node, at: path)
                    }
                    if merged.count < 64 { merged[chosen] = node }
                }
            }
            if try applyElement(node, to: &array, at: index) { hasChanged = true }
        }
        return hasChanged
    }

    mutating func applyElement(
        _ node: UpdateNode, to array: inout [Value], at index: Int
    ) throws(QueryError) -> Bool {
        var value = array[index]
        if case .leaf(.unset) = node {
            array[index] = .null  // removing it would renumber the others
            return !value.isNull
        }
        array[index] = .null
        let hasChanged = try apply(node, to: &value)
        array[index] = value
        return hasChanged
    }

    /// The value that a missing field gets; `nil` when it stays missing.
    mutating func create(_ node: UpdateNode) throws(QueryError) -> Value? {
        try step()
        switch node {
        case .renamed: return nil
        case .leaf(let modification): return try initial(modification)
        case .elements:
            throw QueryError(
                .notApplicable, "The path '\(pathText)' must exist in the document in order to apply array updates.")
        case .fields(let children, let matched):
            var document = Document()
            for child in try effective(children, matched) {
                path.append(child.name)
                defer { path.removeLast() }
                if let value = try create(child.node) { document[child.name] = .some(value) }
            }
            return document.isEmpty ? nil : .document(document)
        }
    }

    // MARK: Limits

    mutating func step() throws(QueryError) {
        steps += 1
        guard steps <= UpdateProgram.maximumSteps else {
            throw .limit("the update takes more than \(UpdateProgram.maximumSteps) steps in one document")
        }
    }

    mutating func add(elements count: Int) throws(QueryError) {
        addedElements += count
        guard addedElements <= UpdateProgram.maximumAddedElements else {
            throw .limit("the update adds more than \(UpdateProgram.maximumAddedElements) elements to one document")
        }
    }
}

/// Adds up what values take encoded, and stops where a document would be too large or too deep.
struct UpdateSize {
    private var bytes = 0

    mutating func add(_ value: Value, depth: Int) throws(QueryError) {
        bytes += 1
        switch value {
        case .null, .bool: break
        case .int, .uint, .double, .timestamp: bytes += 1
        case .string(let text): bytes += text.utf8.count
        case .bytes(let data): bytes += data.count
        case .extended(let extended): bytes += extended.bytes.count
        case .vector(let components): bytes += 5 * components.count
        case .array(let values):
            guard depth < UpdateProgram.maximumDepth else { throw UpdateProgram.tooDeep }
            for value in values { try add(value, depth: depth + 1) }
        case .document(let document):
            guard depth < UpdateProgram.maximumDepth else { throw UpdateProgram.tooDeep }
            for (name, value) in document {
                bytes += 1 + name.utf8.count
                try add(value, depth: depth + 1)
            }
        }
        guard bytes <= UpdateProgram.maximumBytes else {
            throw .limit("the update makes the document larger than \(UpdateProgram.maximumBytes) bytes")
        }
    }
}

extension Document {
    /// Removes fields; many at once cost one walk.
    mutating func remove(_ names: [String]) {
        if names.count <= 1 {
            for name in names { self[name] = nil }
            return
        }
        let gone = Set(names.map { Array($0.utf8) })
        self = Document(filter { !gone.contains(Array($0.key.utf8)) }.map { ($0.key, $0.value) })
    }
}
