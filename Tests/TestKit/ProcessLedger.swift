import Glibc

/// What the kernel says this process holds: every descriptor, and every thread that has a name of its own.
///
/// A test that begins with one and asks it at the end knows what it left behind, whoever forgot to count it. That is the
/// truth for tests of a process one after the other only, so it is asked for by `NEXA_PROCESS_LEDGER=1`.
public struct ProcessLedger: Sendable {
    /// Whether the tests run one after the other.
    public static let isWanted = getenv("NEXA_PROCESS_LEDGER") != nil

    private let before: [String: Int]

    /// Takes down what is there, after the runtime has opened what it keeps open for its timers.
    public init() async {
        try? await Task.sleep(for: .milliseconds(1))
        before = Self.holdings()
    }

    /// What is there beyond that, such as `a descriptor of socket` or `2 threads nexa-client`, once nothing changes any
    /// more: what is being let go takes another moment.
    public func leftovers(within patience: Duration = .seconds(5)) async -> [String] {
        let end = ContinuousClock.now + patience
        while !added.isEmpty, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(1)) }
        return added
    }

    private var added: [String] {
        Self.holdings().compactMap { what, count in
            let more = count - (before[what] ?? 0)
            return more > 0 ? "\(more) × \(what)" : nil
        }.sorted()
    }

    private static func holdings() -> [String: Int] {
        var holdings: [String: Int] = [:]
        for name in Files.names(in: "/proc/self/fd") {
            guard let target = link("/proc/self/fd/\(name)") else { continue }  // That of the folder itself.
            // `socket:[12345]`: the number is another one each time.
            let kind = target.hasPrefix("/") ? target : String(target.prefix { $0 != "[" || target.hasPrefix("anon") })
            holdings["descriptor of \(kind)", default: 0] += 1
        }
        // Threads of the runtime's pool, which come and stay, are called like the program.
        let own = Files.read("/proc/self/comm")
        for task in Files.names(in: "/proc/self/task") {
            let name = Files.read("/proc/self/task/\(task)/comm")
            let text = String(decoding: name.dropLast(), as: UTF8.self)
            // RocksDB, Dispatch (`-qos.overcommit`) and the testing library (`SWT ExT monitor`) keep theirs as well.
            let isKept = ["rocksdb", "SWT "].contains { text.hasPrefix($0) } || text.contains("-qos")
            if name.isEmpty || name == own || isKept { continue }
            holdings["thread \(text)", default: 0] += 1
        }
        return holdings
    }

    private static func link(_ path: String) -> String? {
        var target = [CChar](repeating: 0, count: 1024)
        let length = readlink(path, &target, target.count)
        guard length > 0 else { return nil }
        let text = String(decoding: target.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.hasPrefix("/proc/") ? nil : text
    }
}
