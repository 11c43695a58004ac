import Glibc

/// The records that an import left out, and beside them the reasons.
final class RejectFile: Sendable {
    private let lines: DescriptorSink
    private let reasons: DescriptorSink
    private let descriptors: [CInt]

    /// Creates `path` and `path.why`, or empties them.
    init(_ path: String) throws(ShellError) {
        var descriptors: [CInt] = []
        for name in [path, path + ".why"] {
            let descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
            guard descriptor >= 0 else {
                let error = ShellError("cannot write \(name): \(systemMessage(errno))", exit: .file)
                for open in descriptors { close(open) }
                throw error
            }
            descriptors.append(descriptor)
        }
        self.descriptors = descriptors
        lines = DescriptorSink(descriptors[0], name: path)
        reasons = DescriptorSink(descriptors[1], name: path + ".why")
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// Writes the line that names the columns, so that the file can be imported in its turn.
    func begin(_ header: [UInt8]) throws(ShellError) {
        try attempt { () throws(OutputError) in try lines.write(header + [0x0A]) }
    }

    func add(_ line: [UInt8], _ reason: String) throws(ShellError) {
        try attempt { () throws(OutputError) in
            try lines.write(line + [0x0A])
            try reasons.write(reason + "\n")
        }
    }

    func finish() throws(ShellError) {
        try attempt { () throws(OutputError) in
            try lines.flush()
            try reasons.flush()
        }
    }
}
