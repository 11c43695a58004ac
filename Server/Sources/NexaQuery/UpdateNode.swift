import NexaValue

/// An update as a tree: what happens below each field.
indirect enum UpdateNode: Sendable {
    /// A field of a document, or an element of an array by its number.
    struct Child: Sendable {
        let name: String
        /// The name as an array index, or -1.
        let index: Int
        var node: UpdateNode

        init(_ name: String, _ node: UpdateNode) {
            self.name = name
            index = FieldPath.Part(name).arrayIndex
            self.node = node
        }
    }

    /// Elements of an array by what they are like.
    struct Selection: Sendable {
        /// The number of the array filter; `nil` for `$[]`, all elements.
        let filter: Int?
        var node: UpdateNode
    }

    case leaf(Modification)
    /// The source of a `$rename`: it is taken away before, and nothing else may reach it.
    case renamed
    /// By name, numbers by value first; `matched` is for the element that the filter matched, `$`.
    case fields([Child], matched: UpdateNode?)
    case elements([Selection])

    /// One update that does what two do, for elements that both mean.
    static func merged(_ left: UpdateNode, _ right: UpdateNode, at path: [String]) throws(QueryError) -> UpdateNode {
        switch (left, right) {
        case (.fields(let leftFields, let leftMatched), .fields(let rightFields, let rightMatched)):
            var children = leftFields
            var positions: [[UInt8]: Int] = [:]
            for (position, child) in leftFields.enumerated() { positions[Array(child.name.utf8)] = position }
            for child in rightFields {
                if let position = positions[Array(child.name.utf8)] {
                    children[position].node = try merged(children[position].node, child.node, at: path + [child.name])
                } else {
                    children.append(child)
                }
            }
            children.sort { $0.precedes($1) }
            guard let leftMatched, let rightMatched else {
                return .fields(children, matched: leftMatched ?? rightMatched)
            }
            return .fields(children, matched: try merged(leftMatched, rightMatched, at: path + ["$"]))
        case (.elements(let leftSelections), .elements(let rightSelections)):
            var selections = leftSelections
            for selection in rightSelections {
                if let position = selections.firstIndex(where: { $0.filter == selection.filter }) {
                    selections[position].node = try merged(
                        selections[position].node, selection.node, at: path + ["$[]"])
                } else {
                    selections.append(selection)
                }
            }
            return .elements(selections)
        default:
            throw QueryError(
                .invalidPath, "Update created a conflict at '\(path.joined(separator: "."))'")
        }
    }
}

extension UpdateNode.Child {
    /// The order in which fields are updated and new ones are added: numbers by value, the rest by bytes.
    func precedes(_ other: Self) -> Bool {
        if index >= 0, other.index >= 0 { return index < other.index }
        return name.utf8.lexicographicallyPrecedes(other.name.utf8)
    }
}

/// A tree that grows path by path.
final class UpdateTreeBuilder {
    private var leaf: Modification?
    private var isRenamed = false
    private var fields: [[UInt8]: (name: String, builder: UpdateTreeBuilder)] = [:]
    private var matched: UpdateTreeBuilder?
    private var elements: [(filter: Int?, builder: UpdateTreeBuilder)] = []

    private var isEnd: Bool { leaf != nil || isRenamed }
    private var isEmpty: Bool { !isEnd && fields.isEmpty && matched == nil && elements.isEmpty }

    /// Adds what happens at a path; `nil` for the source of a rename.
    ///
    /// - Throws: `.invalidPath` when something else happens at the path, above or below it.
    func insert(_ modification: Modification?, at path: UpdatePath) throws(QueryError) {
        var node = self
        for (depth, step) in path.steps.enumerated() {
            guard !node.isEnd else { throw path.conflict(at: depth) }
            switch step {
            case .field(let name):
                guard node.elements.isEmpty else { throw path.conflict(at: depth) }
                let key = Array(name.utf8)
                let next = node.fields[key]?.builder ?? UpdateTreeBuilder()
                node.fields[key] = (name, next)
                node = next
            case .matched:
                guard node.elements.isEmpty else { throw path.conflict(at: depth) }
                let next = node.matched ?? UpdateTreeBuilder()
                node.matched = next
                node = next
            case .elements(let filter):
                guard node.fields.isEmpty, node.matched == nil else { throw path.conflict(at: depth) }
                if let known = node.elements.first(where: { $0.filter == filter }) {
                    node = known.builder
                } else {
                    let next = UpdateTreeBuilder()
                    node.elements.append((filter, next))
                    node = next
                }
            }
        }
        guard node.isEmpty else { throw path.conflict(at: path.steps.count) }
        if let modification { node.leaf = modification } else { node.isRenamed = true }
    }

    func finished() -> UpdateNode {
        if let leaf { return .leaf(leaf) }
        if isRenamed { return .renamed }
        if !elements.isEmpty {
            return .elements(elements.map { UpdateNode.Selection(filter: $0.filter, node: $0.builder.finished()) })
        }
        var children = fields.values.map { UpdateNode.Child($0.name, $0.builder.finished()) }
        children.sort { $0.precedes($1) }
        return .fields(children, matched: matched?.finished())
    }
}

/// A dotted path of an update.
struct UpdatePath: Sendable {
    enum Step: Sendable {
        case field(String)
        /// `$`
        case matched
        /// `$[]`, or `$[name]` with the number of its filter.
        case elements(filter: Int?)
    }

    let text: String
    let steps: [Step]

    /// Whether the path has a `$`.
    var usesMatchedIndex: Bool {
        steps.contains { if case .matched = $0 { true } else { false } }
    }

    /// The names, when the path has nothing else.
    var names: [String]? {
        var names: [String] = []
        for step in steps {
            guard case .field(let name) = step else { return nil }
            names.append(name)
        }
        return names
    }

    /// Reads a path.
    ///
    /// - Parameter filter: the number of the array filter with a name.
    init(_ text: String, filter: (String) -> Int?) throws(QueryError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= FieldPath.maximumParts else {
            throw .limit("the path \(text.prefix(40))… has more than \(FieldPath.maximumParts) parts")
        }
        var steps: [Step] = []
        var matches = 0
        for part in parts {
            guard !part.isEmpty else {
                throw QueryError(
                    .invalidPath, "The update path '\(text)' contains an empty field name, which is not allowed.")
            }
            guard part.utf8.first == 0x24 else {
                steps.append(.field(String(part)))
                continue
            }
            if part == "$" {
                steps.append(.matched)
                matches += 1
            } else if part.hasPrefix("$["), part.hasSuffix("]") {
                let name = String(part.dropFirst(2).dropLast())
                let number = name.isEmpty ? nil : filter(name)
                guard name.isEmpty || number != nil else {
                    throw QueryError(
                        .invalidPath, "No array filter found for identifier '\(name)' in path '\(text)'")
                }
                steps.append(.elements(filter: number))
            } else {
                throw QueryError(
                    .invalidPath, "The dollar ($) prefixed field '\(part)' in '\(text)' is not valid for storage.")
            }
            guard steps.count > 1 else {
                throw QueryError(
                    .invalidPath,
                    "Cannot have positional (i.e. '$') element in the first position in path '\(text)'")
            }
        }
        guard matches <= 1 else {
            throw QueryError(
                .invalidPath, "Too many positional (i.e. '$') elements found in path '\(text)'")
        }
        self.text = text
        self.steps = steps
    }

    /// The error for a path whose first parts lead to something else that is updated.
    func conflict(at depth: Int) -> QueryError {
        let place = text.split(separator: ".").prefix(depth).joined(separator: ".")
        return QueryError(.invalidPath, "Updating the path '\(text)' would create a conflict at '\(place)'")
    }
}
