/// Cuts a stream of bytes into lines, however the bytes are divided.
struct LineSplitter {
    /// A line without its end, and its number from 1.
    struct Line {
        var bytes: ArraySlice<UInt8>
        var number: Int
    }

    /// A line is longer than it may be.
    struct TooLong: Error {
        var number: Int
    }

    private let maximumBytes: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var searched = 0
    private var lineCount = 0

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Adds bytes behind those that are left.
    mutating func append(_ bytes: [UInt8]) {
        if position == buffer.count {
            buffer = bytes
        } else {
            buffer.removeFirst(position)
            buffer += bytes
        }
        searched -= position
        position = 0
        searched = max(0, searched)
    }

    /// The next whole line, or `nil` when more bytes are needed.
    mutating func next() throws(TooLong) -> Line? {
        let start = max(position, searched)
        guard let end = buffer[start...].firstIndex(of: 0x0A) else {
            searched = buffer.count
            if buffer.count - position > maximumBytes { throw TooLong(number: lineCount + 1) }
            return nil
        }
        defer {
            position = end + 1
            searched = position
        }
        return try line(position..<end)
    }

    /// What is left behind the last line end.
    mutating func last() throws(TooLong) -> Line? {
        guard position < buffer.count else { return nil }
        defer { position = buffer.count }
        return try line(position..<buffer.count)
    }

    private mutating func line(_ range: Range<Int>) throws(TooLong) -> Line {
        lineCount += 1
        guard range.count <= maximumBytes else { throw TooLong(number: lineCount) }
        let bytes = buffer[range]
        return Line(bytes: bytes.last == 0x0D ? bytes.dropLast() : bytes, number: lineCount)
    }
}
