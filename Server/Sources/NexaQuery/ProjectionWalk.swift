import NexaValue

/// Copies what a projection leaves of one encoded document.
///
/// A map is walked twice, because its length stands before its fields.
struct ProjectionWalk: ~Escapable {
    private let span: RawSpan
    private let isInclusion: Bool
    private let elements: [ProjectedElement]
    /// Where each `$elemMatch` found something.
    private let found: [Range<Int>?]

    @_lifetime(copy span)
    init(_ span: RawSpan, isInclusion: Bool, _ elements: [ProjectedElement], _ found: [Range<Int>?]) {
        self.span = span
        self.isInclusion = isInclusion
        self.elements = elements
        self.found = found
    }

    /// Writes what is left of the document, whose fields begin at an offset, and the elements that are added to it.
    func apply(
        _ level: ProjectionLevel, at first: Int, count: Int, _ additions: [ProjectedAddition],
        _ writer: inout MessagePackWriter
    ) throws(MessagePackError) {
        var added: [(name: FieldPath.Part, element: Range<Int>)] = []
        for case .element(let number) in additions {
            if let range = found[number] { added.append((elements[number].name, range)) }
        }
        _ = try map(level, at: first, count: count, Place(), added: added.count, &writer)
        for (name, range) in added {
            writer.writeString(utf8: name.name.span.bytes)
            writeElement(range, &writer)
        }
    }

    /// How deep a value lies.
    private struct Place {
        var depth = 0
        /// It is an element of an array.
        var isElement = false
        /// It lies in an array within an array, where `$slice` does not look.
        var isInNestedArray = false

        func inside(element: Bool) -> Place {
            Place(
                depth: depth + 1, isElement: element, isInNestedArray: isInNestedArray || (element && isElement))
        }
    }

    private func writeElement(_ range: Range<Int>, _ writer: inout MessagePackWriter) {
        writer.writeArrayHead(count: 1)
        writer.writeRaw(span.extracting(range))
    }

    /// Writes what is left of the fields of a map, which begin at an offset, and returns the offset behind them.
    private func map(
        _ level: ProjectionLevel, at first: Int, count: Int, _ place: Place, added: Int = 0,
        _ writer: inout MessagePackWriter
    ) throws(MessagePackError) -> Int {
        var kept = added
        var position = first
        for _ in 0..<count {
            let action = try action(of: level, &position)
            if try keeps(action, at: position) { kept += 1 }
            position = try span.endOfValue(at: position)
        }
        writer.writeMapHead(count: kept)
        position = first
        for _ in 0..<count {
            let start = position
            let action = try action(of: level, &position)
            let value = position
            guard try keeps(action, at: value) else {
                position = try span.endOfValue(at: value)
                continue
            }
            switch action {
            case .inner(let inner)?:
                writer.writeRaw(span.extracting(start..<value))
                position = try self.value(inner, at: value, place.inside(element: false), &writer)
            case .slice(let slice)? where !place.isInNestedArray:
                writer.writeRaw(span.extracting(start..<value))
                position = try self.slice(slice, at: value, &writer)
            case .element(let number)?:
                position = try span.endOfValue(at: value)
                guard let range = found[number] else { continue }
                writer.writeRaw(span.extracting(start..<value))
                writeElement(range, &writer)
            default:
                position = try span.endOfValue(at: value)
                writer.writeRaw(span.extracting(start..<position))
            }
        }
        return position
    }

    /// Moves behind a field name and finds what the projection says about it.
    private func action(
        of level: ProjectionLevel, _ position: inout Int
    ) throws(MessagePackError) -> ProjectionField.Action? {
        var length = 0
        position = try span.endOfKey(at: position, length: &length)
        let start = position - length
        let prefix = span.prefixWord(at: start, count: length)
        for field in level.fields where field.name.equals(span, at: start, count: length, prefix: prefix) {
            return field.action
        }
        return nil
    }

    /// Whether a field stays; its value is at an offset.
    private func keeps(_ action: ProjectionField.Action?, at value: Int) throws(MessagePackError) -> Bool {
        switch action {
        case nil: return !isInclusion
        case .whole?: return isInclusion
        // An inclusion of inner fields drops what has none.
        case .inner?: return isInclusion ? try isContainer(at: value) : true
        case .slice?: return true
        case .element(let number)?: return found[number] != nil
        }
    }

    private func isContainer(at offset: Int) throws(MessagePackError) -> Bool {
        var reader = MessagePackReader(span, at: offset)
        switch try reader.readHead() {
        case .map, .array: return true
        default: return false
        }
    }

    /// Writes what is left of a value and returns the offset behind it.
    private func value(
        _ level: ProjectionLevel, at start: Int, _ place: Place, _ writer: inout MessagePackWriter
    ) throws(MessagePackError) -> Int {
        var reader = MessagePackReader(span, at: start)
        switch try reader.readHead() {
        case .map(let count):
            return try map(level, at: reader.position, count: count, place, &writer)
        case .array(let count):
            guard place.depth < reader.limits.maximumDepth else {
                throw MessagePackError(.tooDeep(limit: reader.limits.maximumDepth), at: start)
            }
            var kept = count
            var position = reader.position
            if isInclusion {
                for _ in 0..<count {
                    if try !isContainer(at: position) { kept -= 1 }
                    position = try span.endOfValue(at: position)
                }
            }
            writer.writeArrayHead(count: kept)
            position = reader.position
            for _ in 0..<count {
                let stays = isInclusion ? try isContainer(at: position) : true
                position =
                    stays
                    ? try value(level, at: position, place.inside(element: true), &writer)
                    : try span.endOfValue(at: position)
            }
            return position
        default:
            let end = try span.endOfValue(at: start)
            writer.writeRaw(span.extracting(start..<end))
            return end
        }
    }

    /// Writes some elements of an array, or anything else as it is, and returns the offset behind the value.
    private func slice(
        _ slice: ProjectedSlice, at start: Int, _ writer: inout MessagePackWriter
    ) throws(MessagePackError) -> Int {
        var reader = MessagePackReader(span, at: start)
        guard case .array(let count) = try reader.readHead() else {
            let end = try span.endOfValue(at: start)
            writer.writeRaw(span.extracting(start..<end))
            return end
        }
        let range = slice.range(of: count)
        var position = reader.position
        for _ in 0..<range.lowerBound { position = try span.endOfValue(at: position) }
        let first = position
        for _ in range { position = try span.endOfValue(at: position) }
        writer.writeArrayHead(count: range.count)
        writer.writeRaw(span.extracting(first..<position))
        for _ in range.upperBound..<count { position = try span.endOfValue(at: position) }
        return position
    }
}
