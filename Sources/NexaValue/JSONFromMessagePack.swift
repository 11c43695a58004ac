extension JSON {
    /// Appends an encoded value as UTF-8 text, as decoding it and `append(_:to:_:)` would, in a fraction of the time and
    /// without an allocation for each value. On an error the buffer is as before.
    ///
    /// Two exceptions: fields are not sorted, and of a repeated key (which stored documents never have) all are written.
    /// - Parameters:
    ///   - bytes: exactly one value in MessagePack.
    ///   - output: where the text goes.
    ///   - options: how values are written. `sortsKeys` has no effect.
    /// - Throws: `JSONEncodingError`, also for bytes that are no MessagePack.
    public static func append(
        messagePack bytes: RawSpan, to output: inout [UInt8], _ options: EncodingOptions = .compact
    ) throws(JSONEncodingError) {
        let before = output.count
        var writer = JSONWriter(output: output, options: options)
        output = []  // the writer must be the only owner, or its first append copies
        do throws(JSONEncodingError) {
            var reader = MessagePackReader(bytes)
            try writer.write(&reader, depth: 0)
            guard reader.isAtEnd else {
                let error = MessagePackError(.trailingBytes(reader.remaining), at: reader.position)
                throw JSONEncodingError(.malformed(error))
            }
            output = writer.output
        } catch {
            output = writer.output
            output.removeLast(output.count - before)
            throw error
        }
    }
}

extension JSONWriter {
    /// Writes the next value of a reader and moves behind it.
    fileprivate mutating func write(_ reader: inout MessagePackReader, depth: Int) throws(JSONEncodingError) {
        let start = reader.position
        switch try head(&reader) {
        case .string(let count): try writeText(&reader, count, at: start)
        case .array(let count):
            try writeList(count: count, 0x5B, 0x5D, depth) { (writer, _) throws(JSONEncodingError) in
                try writer.write(&reader, depth: depth + 1)
            }
        case .map(let count):
            try writeList(count: count, 0x7B, 0x7D, depth) { (writer, _) throws(JSONEncodingError) in
                try writer.writeKey(&reader)
                writer.output.append(0x3A)
                if writer.options.isPretty { writer.output.append(0x20) }
                try writer.write(&reader, depth: depth + 1)
            }
        default:
            reader.position = start
            try write(scalar(&reader), depth: depth)
        }
    }

    private func head(_ reader: inout MessagePackReader) throws(JSONEncodingError) -> MessagePackReader.Head {
        do throws(MessagePackError) {
            return try reader.readHead()
        } catch {
            throw JSONEncodingError(.malformed(error))
        }
    }

    private func scalar(_ reader: inout MessagePackReader) throws(JSONEncodingError) -> Value {
        do throws(MessagePackError) {
            return try reader.readValue()
        } catch {
            throw JSONEncodingError(.malformed(error))
        }
    }

    private mutating func writeKey(_ reader: inout MessagePackReader) throws(JSONEncodingError) {
        let start = reader.position
        switch try head(&reader) {
        case .string(let count), .bytes(let count): try writeText(&reader, count, at: start)
        default: throw JSONEncodingError(.malformed(MessagePackError(.keyNotString, at: start)))
        }
    }

    private mutating func writeText(
        _ reader: inout MessagePackReader, _ count: Int, at start: Int
    ) throws(JSONEncodingError) {
        // A head never announces more than is there.
        let text = reader.span.extracting(reader.position..<reader.position + count)
        reader.position += count
        guard text.isUTF8 else { throw JSONEncodingError(.malformed(MessagePackError(.invalidUTF8, at: start))) }
        text.withUnsafeBytes { bytes in bytes.withMemoryRebound(to: UInt8.self) { writeText($0) } }
    }
}
