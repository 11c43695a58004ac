import Glibc

/// A process and its children, as `/proc` shows them.
struct ProcessTree: Sendable {
    let root: Int32

    /// The CPU time that the tree has used, including children that have ended; to 10 ms.
    var cpuNanoseconds: Int64 {
        guard let parents = Self.processes() else { return 0 }
        var ticks: Int64 = 0
        for (process, fields) in parents where process == root || fields.parent == root {
            ticks += fields.ticks
        }
        return ticks * (1_000_000_000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
    }

    /// Waits until the tree has nothing left to do on its own, e.g. a compaction, for at most two seconds.
    func waitUntilQuiet() {
        var last = cpuNanoseconds
        for _ in 0..<50 {
            usleep(40_000)
            let now = cpuNanoseconds
            if now - last <= 10_000_000 { return }
            last = now
        }
    }

    private static func processes() -> [Int32: (parent: Int32, ticks: Int64)]? {
        guard let directory = opendir("/proc") else { return nil }
        defer { closedir(directory) }
        var found: [Int32: (parent: Int32, ticks: Int64)] = [:]
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = Int32(name), let bytes = try? contents(ofFile: "/proc/\(name)/stat") else { continue }
            // The name of the program, in brackets, may hold anything: count the fields from its end.
            guard let bracket = bytes.lastIndex(of: UInt8(ascii: ")")) else { continue }
            let fields = bytes[(bracket + 1)...].split(separator: UInt8(ascii: " "))
            guard fields.count > 14 else { continue }
            func number(_ index: Int) -> Int64 { Int64(String(decoding: fields[index], as: UTF8.self)) ?? 0 }
            found[process] = (Int32(number(1)), number(11) + number(12) + number(13) + number(14))
        }
        return found
    }
}
