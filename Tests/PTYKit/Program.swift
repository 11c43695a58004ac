import CPTYKit
import Glibc

/// A program that is run to its end with pipes.
public enum Program {
    /// What it left.
    public struct Outcome: Sendable {
        /// The exit code, or 128 + the signal that killed it.
        public var exitCode: CInt
        /// Everything on its standard output.
        public var output: String
        /// Everything on its standard error.
        public var errors: String
        /// The lines of its output.
        public var lines: [String] {
            var lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            return lines
        }
    }

    /// Runs a program; `input` is its whole standard input (`nil`: /dev/null). It has no terminal.
    ///
    /// - Parameter closesOutputAfter: closes the reading end of its output after that many bytes, as `head` does.
    public static func run(
        _ path: String, _ arguments: [String], input: String? = "", environment: [String: String] = [:],
        closesOutputAfter limit: Int = .max
    ) throws -> Outcome {
        var variables = ["LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"]
        variables.merge(environment) { $1 }
        let argv = CStrings([path] + arguments)
        let envp = CStrings(variables.map { "\($0.key)=\($0.value)" })
        var pipes: [(reading: CInt, writing: CInt)] = []
        for _ in 0..<3 {
            var ends: [CInt] = [-1, -1]
            guard pipe(&ends) == 0 else { throw PTYError(description: "pipe") }
            pipes.append((ends[0], ends[1]))
        }
        let process = ptykit_spawn_piped(
            path, argv.pointers, envp.pointers, input == nil ? -1 : pipes[0].reading, pipes[1].writing,
            pipes[2].writing, 1)
        close(pipes[0].reading)
        close(pipes[1].writing)
        close(pipes[2].writing)
        guard process > 0 else { throw PTYError(description: "cannot start \(path)") }

        var waiting = ArraySlice([UInt8]((input ?? "").utf8))
        var collected: [[UInt8]] = [[], []]
        var open: [CInt] = [pipes[0].writing, pipes[1].reading, pipes[2].reading]
        _ = fcntl(open[0], F_SETFL, fcntl(open[0], F_GETFL) | O_NONBLOCK)
        var ignored = sigaction()
        var previous = sigaction()
        ignored.__sigaction_handler.sa_handler = SIG_IGN
        sigaction(SIGPIPE, &ignored, &previous)
        while open[1] >= 0 || open[2] >= 0 {
            if open[0] >= 0, waiting.isEmpty {
                close(open[0])
                open[0] = -1
            }
            var ready = [
                pollfd(fd: open[0], events: Int16(POLLOUT), revents: 0),
                pollfd(fd: open[1], events: Int16(POLLIN), revents: 0),
                pollfd(fd: open[2], events: Int16(POLLIN), revents: 0)
            ]
            guard poll(&ready, 3, 60_000) > 0 else { break }
            if open[0] >= 0, ready[0].revents != 0 {
                let count = waiting.withUnsafeBytes { write(open[0], $0.baseAddress, $0.count) }
                if count > 0 { waiting.removeFirst(count) } else if errno != EAGAIN { waiting = [] }
            }
            for index in 1...2 where open[index] >= 0 && ready[index].revents != 0 {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                let count = read(open[index], &buffer, buffer.count)
                if count > 0 { collected[index - 1] += buffer[..<count] }
                if count <= 0 || (index == 1 && collected[0].count >= limit) {
                    close(open[index])
                    open[index] = -1
                }
            }
        }
        for descriptor in open where descriptor >= 0 { close(descriptor) }
        if open[1] >= 0 || open[2] >= 0 { kill(process, SIGKILL) }  // a minute without a word
        return Outcome(
            exitCode: ptykit_wait(process), output: String(decoding: collected[0], as: UTF8.self),
            errors: String(decoding: collected[1], as: UTF8.self))
    }
}

/// Where tests find the programs under test.
public enum Products {
    /// A built executable, beside the running test bundle.
    public static func executable(_ name: String) -> String {
        var path = [CChar](repeating: 0, count: 4096)
        guard ptykit_bundle_path(&path, path.count) == 0 else { return name }
        let bundle = String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return (bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } ?? ".") + "/" + name
    }
}
