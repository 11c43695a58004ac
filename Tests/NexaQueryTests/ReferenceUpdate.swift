import NexaQuery
import NexaValue

/// Update operators done the plain way: one path after the other, on whole values.
enum ReferenceUpdate {
    struct Refused: Error {}

    typealias Operation = (name: String, path: [String], operand: Value)

    static func apply(_ update: Document, to document: Document) throws -> Document {
        var operations: [Operation] = []
        for (name, fields) in update {
            for (path, operand) in fields.document ?? [:] {
                operations.append((name, path.split(separator: ".").map(String.init), operand))
            }
        }
        try checkConflicts(operations)
        var result: Value? = .document(document)
        for (position, operation) in operations.enumerated() where operation.name == "$rename" {
            let target = (operation.operand.string ?? "").split(separator: ".").map(String.init)
            guard let value = try taken(operation.path[...], from: &result) else {
                operations[position].name = "nothing"
                continue
            }
            try checkTarget(target, in: .document(document))
            operations[position] = ("$set", target, value)
        }
        operations.sort { precedes($0.path, $1.path) }
        for operation in operations where operation.name != "nothing" {
            try apply(operation, operation.path[...], &result)
        }
        return result?.document ?? [:]
    }

    private static func checkConflicts(_ operations: [Operation]) throws {
        var paths: [[String]] = []
        for operation in operations {
            var added = [operation.path]
            if operation.name == "$rename" {
                let target = (operation.operand.string ?? "").split(separator: ".").map(String.init)
                if target.contains("$[]") || operation.path.contains("$[]") { throw Refused() }
                added.append(target)
            }
            for path in added {
                for other in paths {
                    if path.starts(with: other) || other.starts(with: path) { throw Refused() }
                    let common = zip(path, other).prefix { $0 == $1 }.count
                    if (path[common] == "$[]") != (other[common] == "$[]") { throw Refused() }
                }
                paths.append(path)
            }
        }
    }

    private static func precedes(_ left: [String], _ right: [String]) -> Bool {
        for (left, right) in zip(left, right) where left != right {
            if let left = Int(left), let right = Int(right) { return left < right }
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        return left.count < right.count
    }

    /// Removes what a rename takes along.
    private static func taken(_ path: ArraySlice<String>, from value: inout Value?) throws -> Value? {
        guard let part = path.first else {
            defer { value = nil }
            return value
        }
        switch value {
        case .document(var document):
            var inner = document[part]
            if inner == nil { return nil }
            let found = try taken(path.dropFirst(), from: &inner)
            document[part] = inner
            value = .document(document)
            return found
        case nil: return nil
        default: throw Refused()
        }
    }

    private static func checkTarget(_ path: [String], in value: Value) throws {
        var value = value
        for part in path.dropLast() {
            guard let next = value.document?[part] else { return }
            if next.array != nil { throw Refused() }
            value = next
        }
    }

    private static func apply(_ operation: Operation, _ path: ArraySlice<String>, _ value: inout Value?) throws {
        guard let part = path.first else {
            value = try Self.value(operation, value)
            return
        }
        let rest = path.dropFirst()
        if part == "$[]" {
            guard case .array(var array) = value else { throw Refused() }
            for index in array.indices { try applyElement(operation, rest, &array, index) }
            value = .array(array)
            return
        }
        switch value {
        case .document(var document):
            var inner = document[part]
            try apply(operation, rest, &inner)
            document[part] = inner
            value = .document(document)
        case nil:
            var inner: Value?
            try apply(operation, rest, &inner)
            if let inner { value = .document([part: inner]) }
        case .array(var array):
            guard let index = Int(part), String(index) == part else { return try refuse(operation, rest) }
            if index < array.count {
                try applyElement(operation, rest, &array, index)
            } else {
                var inner: Value?
                try apply(operation, rest, &inner)
                if let inner {
                    while array.count < index { array.append(.null) }
                    array.append(inner)
                }
            }
            value = .array(array)
        default: try refuse(operation, rest)
        }
    }

    private static func applyElement(
        _ operation: Operation, _ path: ArraySlice<String>, _ array: inout [Value], _ index: Int
    ) throws {
        var inner: Value? = array[index]
        try apply(operation, path, &inner)
        array[index] = inner ?? .null
    }

    private static func refuse(_ operation: Operation, _ rest: ArraySlice<String>) throws {
        if operation.name != "$unset" || rest.contains("$[]") { throw Refused() }
    }

    private static func value(_ operation: Operation, _ old: Value?) throws -> Value? {
        let operand = operation.operand
        switch operation.name {
        case "$set": return operand
        case "$unset": return nil
        case "$min": return old.map { ValueOrder.compare(operand, $0) < 0 ? operand : $0 } ?? operand
        case "$max": return old.map { ValueOrder.compare(operand, $0) > 0 ? operand : $0 } ?? operand
        case "$inc", "$mul": return try arithmetic(operation, old)
        case "$pop":
            guard var array = try array(old) else { return nil }
            if !array.isEmpty { array.remove(at: operand == 1 ? array.count - 1 : 0) }
            return .array(array)
        case "$pull": return try array(old).map { .array($0.filter { ValueOrder.compare($0, operand) != 0 }) }
        case "$addToSet":
            let old = try array(old) ?? []
            return .array(old.contains { ValueOrder.compare($0, operand) == 0 } ? old : old + [operand])
        default: return .array((try array(old) ?? []) + [operand])
        }
    }

    private static func array(_ value: Value?) throws -> [Value]? {
        guard let value else { return nil }
        guard let array = value.array else { throw Refused() }
        return array
    }

    private static func arithmetic(_ operation: Operation, _ old: Value?) throws -> Value {
        let isSum = operation.name == "$inc"
        guard let old else {
            if isSum { return operation.operand }
            if case .double = operation.operand { return 0.0 }
            return 0
        }
        switch (old, operation.operand) {
        case (.int(let left), .int(let right)):
            let (result, overflow) =
                isSum ? left.addingReportingOverflow(right) : left.multipliedReportingOverflow(by: right)
            if overflow { throw Refused() }
            return .int(result)
        default:
            guard let left = old.double, let right = operation.operand.double else { throw Refused() }
            return .double(isSum ? left + right : left * right)
        }
    }
}
