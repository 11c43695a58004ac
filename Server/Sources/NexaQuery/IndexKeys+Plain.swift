import NexaValue

extension IndexKeyPattern {
    /// Appends the key of a document that meets no array and nothing to cut on its way: exactly the one key that `keys`
    /// gives, without making a list of it.
    ///
    /// - Returns: false, with nothing appended, when the document is not of that kind, or lacks all fields; `keys` knows.
    /// - Throws: `QueryError` when the bytes are not a well-formed map.
    public func appendPlainKey(of document: RawSpan, to output: inout [UInt8]) throws(QueryError) -> Bool {
        let start = output.count
        var isPlain = true
        var found = 0
        do throws(MessagePackError) {
            for position in paths.indices where isPlain {
                let fieldStart = output.count
                switch try plainValue(at: paths[position], of: document) {
                case .array: isPlain = false
                case .missing: output.append(OrderedEncoding.null)
                case .value(let offset):
                    found += 1
                    var reader = MessagePackReader(document, at: offset)
                    try OrderedEncoding.append(&reader, depth: 0, to: &output)
                    if output.count - fieldStart > Self.maximumFieldBytes { isPlain = false }
                }
                if fields[position].isDescending { OrderedEncoding.invert(&output, from: fieldStart) }
            }
        } catch {
            output.removeLast(output.count - start)
            throw QueryError(corrupt: error)
        }
        if isPlain, found > 0 { return true }
        output.removeLast(output.count - start)
        return false
    }

    private enum PlainValue {
        case array
        case missing
        case value(Int)
    }

    private func plainValue(at path: FieldPath, of document: RawSpan) throws(MessagePackError) -> PlainValue {
        var offset = 0
        for part in path.parts {
            var reader = MessagePackReader(document, at: offset)
            switch try reader.readHead() {
            case .array: return .array
            case .map(let count):
                guard let value = try document.value(of: part, at: reader.position, count: count) else {
                    return .missing
                }
                offset = value
            default: return .missing
            }
        }
        var reader = MessagePackReader(document, at: offset)
        if case .array = try reader.readHead() { return .array }
        return .value(offset)
    }
}
