/// Turns text straight into MessagePack, without a value in between.
///
/// A container's head is one byte until its end tells how many elements there are; the heads of those with 16 and more
/// are made longer in one pass over the finished bytes, so the whole takes linear time. What needs a look at decoded
/// values (a repeated key, an extended form with large parts) is given back to the parser.
struct JSONTranscoder: ~Copyable, ~Escapable {
    private var scanner: JSONScanner
    private var open: [Frame] = []
    /// The field names of all open objects, as places in the writer.
    private var names: [Range<Int>] = []
    private var longHeads: [MessagePackWriter.LongHead] = []
    private var needsParser = false
    /// Room that most documents need no more than: one allocation in place of one for each doubling.
    private static var usualDepth: Int { 4 }
    private static var usualNames: Int { 16 }

    /// One open container.
    private struct Frame {
        var isArray: Bool
        var count = 0
        /// Where its head stands in the writer.
        var head: Int
        /// Where its names begin in `names`.
        var firstName: Int
        /// Where its opening bracket stands in the text.
        var offset: Int
    }

    @_lifetime(copy span)
    init(_ span: RawSpan, _ options: JSON.Options) {
        scanner = JSONScanner(span, options)
    }

    /// Appends the whole text as one value; after an error the writer is as it was.
    ///
    /// - Parameter wantsDocument: whether a value that is no document is an error.
    @_lifetime(self: copy self)
    mutating func run(into writer: inout MessagePackWriter, wantsDocument: Bool) throws(JSONError) {
        let start = writer.count
        do throws(JSONError) {
            try walk(&writer)
            if needsParser {
                writer.truncate(to: start)
                writer.write(try JSON.decode(scanner.span, scanner.options))
            } else if !longHeads.isEmpty {
                longHeads.sort { $0.position < $1.position }
                writer.lengthenHeads(longHeads)
            }
            let head = writer.byte(at: start)
            if wantsDocument, head & 0xF0 != 0x80, head != 0xDE, head != 0xDF { throw scanner.notAnObject() }
        } catch {
            writer.truncate(to: start)
            throw error
        }
    }

    @_lifetime(self: copy self)
    private mutating func walk(_ writer: inout MessagePackWriter) throws(JSONError) {
        try scanner.begin()
        while true {
            guard try startValue(&writer) else { continue }
            while let frame = open.last {
                open[open.count &- 1].count &+= 1
                if frame.isArray {
                    if try !scanner.closes(with: 0x5D, "',' or ']'") { break }
                } else if try !scanner.closes(with: 0x7D, "',' or '}'") {
                    try copyFieldName(&writer)
                    break
                }
                try close(&writer)
                if needsParser { return }
            }
            if open.isEmpty { return try scanner.end() }
        }
    }

    /// Copies a scalar or an empty container, or opens a container and returns false.
    @_lifetime(self: copy self)
    private mutating func startValue(_ writer: inout MessagePackWriter) throws(JSONError) -> Bool {
        guard let byte = scanner.peek() else { throw scanner.fault(.endsBefore("a value"), at: scanner.position) }
        switch byte {
        case 0x22: try scanner.copyString(quote: 0x22, to: &writer)
        case 0x7B, 0x5B:
            let isArray = byte == 0x5B
            let frame = Frame(isArray: isArray, head: writer.count, firstName: names.count, offset: scanner.position)
            writer.writeRaw(isArray ? 0x90 : 0x80)
            if try scanner.opensEmpty(closedBy: isArray ? 0x5D : 0x7D, depth: open.count) { return true }
            if open.capacity == 0 { open.reserveCapacity(Self.usualDepth) }
            open.append(frame)
            if !isArray { try copyFieldName(&writer) }
            return false
        case 0x27 where scanner.options.isRelaxed: try scanner.copyString(quote: 0x27, to: &writer)
        default:
            switch try scanner.readScalar(byte) {
            case .int(let number): writer.write(number)
            case .double(let number): writer.write(number)
            case let other: writer.write(other)
            }
        }
        return true
    }

    /// Copies `"name":` and passes over the blanks behind it.
    @_lifetime(self: copy self)
    private mutating func copyFieldName(_ writer: inout MessagePackWriter) throws(JSONError) {
        let start = writer.count
        if let quote = try scanner.fieldNameQuote() {
            try scanner.copyString(quote: quote, to: &writer)
        } else {
            try scanner.copyBareName(to: &writer)
        }
        if names.capacity == 0 { names.reserveCapacity(Self.usualNames) }
        names.append(start..<writer.count)
        try scanner.passColon()
    }

    /// Ends the innermost container, behind its closing bracket.
    @_lifetime(self: copy self)
    private mutating func close(_ writer: inout MessagePackWriter) throws(JSONError) {
        guard let frame = open.popLast() else { return }
        if !frame.isArray {
            if hasRepeatedName(from: frame.firstName, writer) {
                needsParser = true
                return
            }
            let first = names[frame.firstName]
            names.removeLast(names.count - frame.firstName)
            if frame.count == 1, scanner.options.readsExtendedForms, try replaceExtendedForm(frame, first, &writer) {
                return
            }
        }
        if frame.count < 16 {
            writer.patch(byte: (frame.isArray ? 0x90 : 0x80) | UInt8(frame.count), at: frame.head)
        } else {
            longHeads.append(.init(position: frame.head, count: frame.count, isArray: frame.isArray))
        }
    }

    /// Puts the value that an object with one field stands for in its place, if it does.
    @_lifetime(self: copy self)
    private mutating func replaceExtendedForm(
        _ frame: Frame, _ nameRange: Range<Int>, _ writer: inout MessagePackWriter
    ) throws(JSONError) -> Bool {
        // The names that count have less than 32 bytes, so the head of one is a single byte.
        let text = nameRange.lowerBound + 1..<nameRange.upperBound
        guard !text.isEmpty, text.count < 32, writer.byte(at: text.lowerBound) == 0x24 else { return false }
        let name = String(decoding: (text.map { writer.byte(at: $0) }), as: UTF8.self)
        guard JSON.isExtendedForm(name) else { return false }
        if let last = longHeads.last, last.position > frame.head {
            needsParser = true  // its bytes cannot be decoded yet
            return true
        }
        let value: Value
        do throws(MessagePackError) {
            var reader = MessagePackReader(writer.span, at: nameRange.upperBound)
            value = try reader.readValue()
        } catch {
            needsParser = true
            return true
        }
        switch JSON.extendedForm(name, value) {
        case .ordinary: return false
        case .malformed: throw scanner.fault(.invalidExtendedForm(name), at: frame.offset)
        case .value(let value):
            writer.truncate(to: frame.head)
            writer.write(value)
            return true
        }
    }

    /// Whether two names from `first` on are the same; compares a few with each other, and sorts many.
    private func hasRepeatedName(from first: Int, _ writer: borrowing MessagePackWriter) -> Bool {
        let count = names.count - first
        guard count > Document.indexThreshold else {
            for last in stride(from: first + 1, to: names.count, by: 1) {
                let name = names[last]
                for earlier in first..<last where names[earlier].count == name.count {
                    if writer.order(names[earlier], name) == 0 { return true }
                }
            }
            return false
        }
        let sorted = names[first...].sorted { writer.order($0, $1) < 0 }
        return zip(sorted, sorted.dropFirst()).contains { writer.order($0, $1) == 0 }
    }
}

extension JSON {
    /// Appends text to encoded bytes as exactly one value, as decoding and encoding it would, in a fraction of the time
    /// and memory. After an error the writer is as it was.
    ///
    /// - Throws: `JSONError` as `decode` does.
    public static func transcode(
        _ text: RawSpan, _ options: Options = .strict, into writer: inout MessagePackWriter
    ) throws(JSONError) {
        var transcoder = JSONTranscoder(text, options)
        try transcoder.run(into: &writer, wantsDocument: false)
    }

    /// Appends text to encoded bytes as exactly one document, as decoding and encoding it would, in a fraction of the
    /// time and memory. After an error the writer is as it was.
    ///
    /// - Throws: `JSONError` as `decodeDocument` does.
    public static func transcodeDocument(
        _ text: RawSpan, _ options: Options = .strict, into writer: inout MessagePackWriter
    ) throws(JSONError) {
        var transcoder = JSONTranscoder(text, options)
        try transcoder.run(into: &writer, wantsDocument: true)
    }
}
