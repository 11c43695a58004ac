import NexaValue

/// Renames, and what is said of a path that leads nowhere.
extension UpdateApplication {
    /// Removes the source of a rename and returns its value; `nil` when there is none, and nothing to do then.
    mutating func take(_ rename: UpdateProgram.Rename, from document: inout Document) throws(QueryError) -> Value? {
        var containers: [Document] = []
        var current = Value.document(document)
        for (depth, part) in rename.source.enumerated() {
            switch current {
            case .document(let inner):
                guard let next = inner[part] else { return nil }
                containers.append(inner)
                current = next
            case .array, .vector: throw throughArray("source", rename.source, depth)
            default:
                throw unreachable(part, rename.source.joined(separator: "."), in: rename.source[depth - 1], current)
            }
        }
        var target = Value.document(document)
        for (depth, part) in rename.target.dropLast().enumerated() {
            guard case .document(let inner) = target, let next = inner[part] else { break }
            if next.elements != nil { throw throughArray("destination", rename.target, depth + 1) }
            target = next
        }
        var rest: Value?
        for (part, container) in zip(rename.source, containers).reversed() {
            var container = container
            container[part] = rest
            rest = .document(container)
        }
        if case .document(let without)? = rest { document = without }
        changed.append(rename.source[0])
        return current
    }

    func throughArray(_ side: String, _ parts: [String], _ depth: Int) -> QueryError {
        QueryError(
            .notApplicable,
            "The \(side) field cannot be an array element, '\(parts.joined(separator: "."))' in doc with \(idText)"
                + " has an array field called '\(parts[depth - 1])'")
    }

    // MARK: Refusals

    var name: String { path.last ?? "" }
    var pathText: String { path.joined(separator: ".") }
    var idText: String { id.map { "{_id: \($0.brief)}" } ?? "{no _id}" }

    func notAnArray(_ modification: Modification, _ value: Value) -> QueryError {
        let message =
            switch modification {
            case .push:
                "The field '\(pathText)' must be an array but is of type \(value.kindName) in document \(idText)"
            case .addToSet:
                "Cannot apply $addToSet to non-array field. Field named '\(name)' has non-array type \(value.kindName)"
            case .pop: "Path '\(pathText)' contains an element of non-array type '\(value.kindName)'"
            default: "Cannot apply $pull to a non-array value"
            }
        return QueryError(.notApplicable, message)
    }

    /// Throws when the operators below a child would have to go through a value that has no fields.
    func refuse(_ child: UpdateNode.Child, in value: Value) throws(QueryError) {
        switch child.node {
        case .leaf(.unset), .renamed: return
        case .leaf(.setOnInsert): if !isInsert { return }
        case .leaf(.rename(let number)): if renamed[number] == nil { return }
        case .leaf(let modification) where !modification.creates:
            throw unreachable(child.name, (path + [child.name]).joined(separator: "."), in: name, value)
        case .fields(let children, let matched):
            // The same for what lies deeper; its own operators decide.
            for inner in children { try refuse(UpdateNode.Child(child.name, inner.node), in: value) }
            if let matched { try refuse(UpdateNode.Child(child.name, matched), in: value) }
            return
        default: break
        }
        throw QueryError(
            .notApplicable, "Cannot create field '\(child.name)' in element {\(name): \(value.brief)}")
    }

    func unreachable(_ part: String, _ path: String, in name: String, _ value: Value) -> QueryError {
        QueryError(
            .notApplicable,
            "Cannot use the part (\(part)) of (\(path)) to traverse the element ({\(name): \(value.brief)})")
    }
}
