import Glibc

/// What the numbers were measured on.
package struct Machine: Sendable {
    package var description: String

    /// - Parameters:
    ///   - directory: where the servers keep their data; its disk is probed.
    ///   - swift: the version of the compiler.
    package init(directory: String, swift: String?) {
        var parts = [Self.processor(), "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores"]
        let memory = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
        parts.append("\((memory + (1 << 29)) >> 30) GiB")
        var system = utsname()
        if uname(&system) == 0 { parts.append("Linux \(withUnsafeBytes(of: system.release, Self.text))") }
        if let swift { parts.append("Swift \(swift)") }
        if let disk = Self.disk(directory) { parts.append(disk) }
        if let load = Self.load() { parts.append("load average before: \(load)") }
        description = parts.joined(separator: ", ")
    }

    private static func text(_ raw: UnsafeRawBufferPointer) -> String {
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func processor() -> String {
        let lines = (try? contents(ofFile: "/proc/cpuinfo")) ?? []
        for line in String(decoding: lines, as: UTF8.self).split(separator: "\n") where line.hasPrefix("model name") {
            return String(line.split(separator: ":").last?.drop { $0 == " " } ?? "")
        }
        return "unknown processor"
    }

    private static func load() -> Substring? {
        guard let bytes = try? contents(ofFile: "/proc/loadavg") else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: " ").first
    }

    /// The median and the 99th percentile of `fdatasync` after overwriting 4 KiB, and the file system's kind.
    private static func disk(_ directory: String) -> String? {
        let path = "\(directory)/fdatasync-probe-\(getpid())"
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        defer {
            _ = close(descriptor)
            unlink(path)
        }
        let block = [UInt8](repeating: 0x5A, count: 4096)
        var times = Histogram()
        for round in 0..<220 {
            let before = monotonicNanoseconds()
            guard pwrite(descriptor, block, block.count, 0) == block.count else { return nil }
            guard fdatasync(descriptor) == 0 else { return nil }
            if round >= 20 { times.record(monotonicNanoseconds() - before) }
        }
        guard let median = times.quantile(0.5), let high = times.quantile(0.99) else { return nil }
        let kind = fileSystem(directory).map { " on \($0)" } ?? ""
        return "fdatasync of 4 KiB\(kind): p50 \(duration(median)), p99 \(duration(high))"
    }

    /// The kind of the file system that holds a directory, from the longest mount point above it.
    private static func fileSystem(_ directory: String) -> String? {
        guard let mounts = try? contents(ofFile: "/proc/mounts") else { return nil }
        var best: (length: Int, kind: String)?
        for line in String(decoding: mounts, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let point = fields[1] == "/" ? "/" : fields[1] + "/"
            guard (directory + "/").hasPrefix(point), point.count >= best?.length ?? 0 else { continue }
            best = (point.count, String(fields[2]))
        }
        return best?.kind
    }
}
