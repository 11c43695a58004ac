import Glibc

/// A full file of the commit log, as its readers need to know it.
struct LogSegment: Sendable {
    /// A place from which records can be walked, so that a reader need not begin at the front.
    struct Mark: Sendable {
        var sequence: UInt64
        var offset: Int
    }

    /// Bytes between two marks.
    static let markDistance = 64 << 10

    var path: String
    var header: LogFormat.FileHeader
    /// The last commit in it that counts; a damaged file may go on behind it.
    var lastSequence: UInt64
    var byteCount: Int
    /// When it was last written to, in seconds since 1970.
    var endedAt: Int
    /// None for files of an earlier run.
    var marks: [Mark] = []

    static func now() -> Int { time(nil) }
}

extension LogSegment {
    /// A file that an earlier run left.
    init(_ path: String, _ header: LogFormat.FileHeader, lastSequence: UInt64) {
        var status = stat()
        let isThere = stat(path, &status) == 0
        self.init(
            path: path, header: header, lastSequence: lastSequence, byteCount: isThere ? Int(status.st_size) : 0,
            endedAt: isThere ? Int(status.st_mtim.tv_sec) : 0)
    }
}

/// Where a reader finds a commit: a file, and a record in it that is not behind the commit.
struct LogPlace {
    var number: UInt64
    var run: UInt64
    /// The record at `offset`.
    var sequence: UInt64
    var offset: Int
    var lastSequence = UInt64.max
    /// The open file, when it is still being written.
    var file: File?
    var path: String

    init(_ header: LogFormat.FileHeader, _ marks: [LogSegment.Mark], reaching wanted: UInt64, file: File?, path: String)
    {
        number = header.number
        run = header.run
        // The last mark that is not behind the commit, by halving.
        var low = 0
        var high = marks.count
        while low < high {
            let middle = (low + high) / 2
            if marks[middle].sequence <= wanted { low = middle + 1 } else { high = middle }
        }
        sequence = low == 0 ? header.firstSequence : marks[low - 1].sequence
        offset = low == 0 ? LogFormat.fileHeaderSize : marks[low - 1].offset
        self.file = file
        self.path = path
    }
}
