import Glibc

/// How much memory there is for a process.
enum MachineMemory {
    /// The bytes of the machine, or of the control group (a container, a service) if that may have less.
    static var byteCount: Int {
        let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
        let groups = TextFile.read("/proc/self/cgroup", upTo: 64 << 10) ?? ""
        return min(max(machine, 0), limit(groups) { TextFile.read($0, upTo: 64) } ?? .max)
    }

    /// The least limit of a control group and those around it; `nil` when there is none.
    ///
    /// See https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max), and for version 1 memory.limit_in_bytes.
    /// - Parameter groups: what `/proc/self/cgroup` says: lines of number, controllers and path.
    static func limit(_ groups: String, read: (String) -> String?) -> Int? {
        var limits: [Int] = []
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let root: String
            let name: String
            if parts[0] == "0", parts[1].isEmpty {
                (root, name) = ("/sys/fs/cgroup", "/memory.max")
            } else if parts[1].split(separator: ",").contains("memory") {
                (root, name) = ("/sys/fs/cgroup/memory", "/memory.limit_in_bytes")
            } else {
                continue
            }
            var path = parts[2].split(separator: "/")
            while true {
                // A container may see its own group as the root.
                let text = read(root + path.map { "/" + $0 }.joined() + name)
                if let limit = text.flatMap({ Int($0.prefix { $0.isNumber }) }), limit > 0 { limits.append(limit) }
                if path.popLast() == nil { break }
            }
        }
        return limits.min()
    }
}

/// Small files of text.
enum TextFile {
    /// The text of a file; `nil` when it cannot be read or has more bytes than that.
    static func read(_ path: String, upTo bound: Int) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= bound else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}
