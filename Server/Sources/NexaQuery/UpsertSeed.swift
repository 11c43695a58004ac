public import NexaValue

/// The document that an upsert begins with when nothing matches its filter.
public enum UpsertSeed {
    /// How many fields a filter may demand of a new document.
    public static let maximumFields = 1000

    /// The fields that a filter demands to be equal to something, as MongoDB takes them: literals and `$eq`, `$in` and
    /// `$all` with one value, in the filter itself, in `$and`, and in `$or` with one part.
    ///
    /// The filter has been compiled before, so it is well-formed.
    /// - Throws: `.invalidPath` when the filter names a field twice, or a field and a part of it.
    public static func document(for filter: Document) throws(QueryError) -> Document {
        var seed = Seed()
        try seed.add(filter, depth: 0)
        return seed.document
    }

    private struct Seed {
        var document = Document()
        private var paths: [[Substring]] = []

        mutating func add(_ filter: Document, depth: Int) throws(QueryError) {
            guard depth < UpdateProgram.maximumDepth else { throw UpdateProgram.tooDeep }
            for (name, condition) in filter {
                switch name {
                case "$and":
                    for case .document(let part) in condition.array ?? [] { try add(part, depth: depth + 1) }
                case "$or":
                    if case .array(let parts) = condition, parts.count == 1, case .document(let part) = parts[0] {
                        try add(part, depth: depth + 1)
                    }
                case _ where name.utf8.first == 0x24: break
                default: try add(name, condition)
                }
            }
        }

        private mutating func add(_ path: String, _ condition: Value) throws(QueryError) {
            guard case .document(let operators) = condition, operators.first?.key.utf8.first == 0x24 else {
                return try set(path, condition)
            }
            for (name, operand) in operators {
                switch (name, operand) {
                case ("$eq", _): try set(path, operand)
                case ("$in", .array(let values)):
                    if values.count == 1 { try set(path, values[0]) }
                case ("$all", .array(let values)):
                    for value in values {
                        if case .document(let inner) = value, inner.first?.key == "$elemMatch" { continue }
                        try set(path, value)
                    }
                default: break
                }
            }
        }

        private mutating func set(_ path: String, _ value: Value) throws(QueryError) {
            let parts = path.split(separator: ".", omittingEmptySubsequences: false)
            guard paths.count < maximumFields else {
                throw .limit("the filter of the upsert names more than \(maximumFields) fields")
            }
            if let other = paths.first(where: { $0.starts(with: parts) || parts.starts(with: $0) }) {
                let known = other.joined(separator: ".")
                throw QueryError(
                    .invalidPath,
                    known == path
                        ? "cannot infer query fields to set, path '\(path)' is matched twice"
                        : "cannot infer query fields to set, both paths '\(known)' and '\(path)' are matched")
            }
            paths.append(parts)
            document = Self.setting(parts[...], value, in: document)
        }

        private static func setting(
            _ parts: ArraySlice<Substring>, _ value: Value, in document: Document
        ) -> Document {
            guard let first = parts.first.map(String.init) else { return document }
            var document = document
            document[first] =
                parts.count == 1
                ? .some(value)
                : .some(.document(setting(parts.dropFirst(), value, in: document[first]?.document ?? [:])))
            return document
        }
    }
}
