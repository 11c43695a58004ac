import NexaValue

/// What a compiled projection does with the fields of one document.
final class ProjectionLevel: Sendable {
    let fields: [ProjectionField]

    init(_ fields: [ProjectionField]) { self.fields = fields }
}

/// What a compiled projection does with one field.
struct ProjectionField: Sendable {
    enum Action: Sendable {
        /// It stays or goes as a whole, as the projection includes or leaves out.
        case whole
        /// Deeper fields are named.
        case inner(ProjectionLevel)
        /// Some elements of an array stay.
        case slice(ProjectedSlice)
        /// The element that an `$elemMatch` found takes the place of the array; its number among them.
        case element(Int)
    }

    let name: FieldPath.Part
    let action: Action
}

/// The elements of an array that `$slice` keeps.
struct ProjectedSlice: Sendable, Equatable {
    /// How many to pass over, or, below 0, where to begin from the end; `nil` for the first or last `count`.
    var skip: Int?
    /// How many; below 0 the last ones.
    var count: Int

    /// The indices that stay of an array.
    func range(of length: Int) -> Range<Int> {
        guard let skip else {
            return count < 0 ? max(0, length &+ max(count, -length))..<length : 0..<min(length, count)
        }
        let start = skip < 0 ? max(0, length &+ max(skip, -length)) : min(length, skip)
        return start..<start + min(length - start, count)
    }
}

/// The first element of an array that fulfils the conditions of an `$elemMatch`.
struct ProjectedElement: Sendable {
    let name: FieldPath.Part
    /// `{name: {$elemMatch: …}}`.
    let filter: QueryFilter

    /// Where the element is in an encoded document; `nil` when none fulfils them, or there is no array.
    func range(in document: RawSpan) throws(QueryError) -> Range<Int>? {
        guard let index = try filter.matchedIndex(in: document) else { return nil }
        return try QueryFilter.translating {
            var reader = MessagePackReader(document)
            let count = try reader.readMapHead()
            guard let value = try document.value(of: name, at: reader.position, count: count) else { return nil }
            var elements = MessagePackReader(document, at: value)
            guard index < (try elements.readArrayHead()) else { return nil }
            for _ in 0..<index { try elements.skip() }
            let start = elements.position
            return start..<(try document.endOfValue(at: start))
        }
    }
}

/// A field that a projection makes.
enum ProjectedAddition: Sendable {
    /// What an `$elemMatch` found, by its number among them.
    case element(Int)
    case computed([String], Expression)
}

/// The paths of a projection as a tree.
struct ProjectionTree {
    enum Leaf {
        case whole
        case slice(ProjectedSlice)
        case element(Int)
        /// The field is made from others.
        case computed
    }

    private var children: [(name: FieldPath.Part, tree: ProjectionTree)] = []
    private var leaf: Leaf?

    /// Whether there is something at, or below, a field of the document.
    func reaches(_ name: FieldPath.Part) -> Bool { children.contains { $0.name == name } }

    mutating func insert(_ parts: ArraySlice<FieldPath.Part>, _ leaf: Leaf, path: String) throws(QueryError) {
        guard let first = parts.first else {
            if self.leaf != nil || !children.isEmpty { throw Self.collision(path) }
            self.leaf = leaf
            return
        }
        if self.leaf != nil { throw Self.collision(path) }
        if let index = children.firstIndex(where: { $0.name == first }) {
            try children[index].tree.insert(parts.dropFirst(), leaf, path: path)
        } else {
            var tree = ProjectionTree()
            try tree.insert(parts.dropFirst(), leaf, path: path)
            children.append((first, tree))
        }
    }

    private static func collision(_ path: String) -> QueryError {
        QueryError(.invalidPath, "the projection names \"\(path)\" and a part of it, or twice the same")
    }

    /// The tree as it is applied. What an inclusion makes anew comes behind the fields that it keeps.
    func level(isInclusion: Bool) -> ProjectionLevel {
        var fields: [ProjectionField] = []
        for (name, tree) in children {
            let action: ProjectionField.Action
            switch tree.leaf {
            case nil: action = .inner(tree.level(isInclusion: isInclusion))
            case .whole: action = .whole
            case .slice(let slice): action = .slice(slice)
            case .element(let number):
                if isInclusion { continue }
                action = .element(number)
            case .computed: continue
            }
            fields.append(ProjectionField(name: name, action: action))
        }
        return ProjectionLevel(fields)
    }
}
