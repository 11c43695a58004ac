import CPTYKit
import Glibc

/// What another process of the same user may be read for.
public enum ProcessMemory {
    /// Where a word stands: `cmdline`, `environ`, or a line of `maps` of memory that the process may write. Memory that
    /// the kernel does not let anybody read is left out.
    public static func places(of word: String, in process: pid_t) -> [String] {
        let wanted = [UInt8](word.utf8)
        var found: [String] = []
        for name in ["cmdline", "environ"] where holds(whole("/proc/\(process)/\(name)"), wanted) { found.append(name) }
        let memory = open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
        guard memory >= 0 else { return found }
        defer { close(memory) }
        for line in String(decoding: whole("/proc/\(process)/maps"), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 1, words[1].hasPrefix("rw") else { continue }
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard ends.count == 2, ends[0] < ends[1], ends[1] - ends[0] <= 256 << 20 else { continue }
            var bytes = [UInt8](repeating: 0, count: Int(ends[1] - ends[0]))
            let count = pread(memory, &bytes, bytes.count, off_t(ends[0]))
            if count > 0, holds(Array(bytes.prefix(count)), wanted) { found.append(String(line)) }
        }
        return found
    }

    private static func holds(_ bytes: [UInt8], _ word: [UInt8]) -> Bool {
        ptykit_holds(bytes, bytes.count, word, word.count) != 0
    }

    private static func whole(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(file, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}
