import Glibc

/// What the process of the tests holds open.
public enum OwnProcess {
    /// How many of its threads have this name.
    public static func threadCount(named name: String) -> Int {
        Files.names(in: "/proc/self/task").count { task in
            Files.read("/proc/self/task/\(task)/comm") == Array((name + "\n").utf8)
        }
    }

    /// The sockets, epolls and eventfds that it has open.
    public static func openSockets() -> Int {
        Files.names(in: "/proc/self/fd").count { name in
            var target = [CChar](repeating: 0, count: 256)
            let length = readlink("/proc/self/fd/\(name)", &target, 255)
            let text = String(decoding: target.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
            return text.hasPrefix("socket:") || text.hasPrefix("anon_inode:[event")
        }
    }

    /// As `openSockets`, after the runtime has opened what it needs for timers and keeps open from then on.
    public static func settledSockets() async -> Int {
        try? await Task.sleep(for: .milliseconds(1))
        return openSockets()
    }
}
