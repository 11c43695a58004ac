import NexaBenchmark

/// The command line of `nexa-client-bench`.
struct ClientOptions {
    static let usage = """
        usage: nexa-client-bench [options]
          --nexadb PORT[,PID]   measure a real server, too; root's password is in NEXADB_ROOT_PASSWORD
          --rounds N            default 5
          --seconds S           length of one measurement, default 0.3
          --quick               one round of 0.1 s
          --allocations         count allocations only
          --thresholds FILE     fail when a call allocates more than this file allows
          --new-thresholds FILE write what was counted
          --markdown FILE       write the table as Markdown, too
          --swift-version V     for the machine line
          --profile default|client.executor [--calls N] [--callers N] [--call ping|read|insert|update|watch]
                                make calls (or take change events) and nothing else, for a profiler
        """

    var needsHelp = false
    var live: UInt16?
    var rounds = 5
    var seconds = 0.3
    var allocationsOnly = false
    var thresholds: String?
    var newThresholds: String?
    var markdown: String?
    var swiftVersion: String?
    var profiled: Place?
    var profiledCalls = 10_000
    var profiledCallers = 1
    /// `nil` for change events.
    var profiledCall: Call? = .ping

    init(_ arguments: [String]) throws(BenchmarkError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            switch option {
            case "--help":
                needsHelp = true
                return
            case "--quick":
                rounds = 1
                seconds = 0.1
                continue
            case "--allocations":
                allocationsOnly = true
                continue
            default: break
            }
            guard let value = rest.popFirst() else { throw BenchmarkError("\(option)?\n\(Self.usage)") }
            switch option {
            case "--nexadb": live = value.split(separator: ",").first.flatMap { UInt16($0) }
            case "--rounds": rounds = try Self.number(value)
            case "--seconds":
                guard let number = Double(value), (0.01...60).contains(number) else {
                    throw BenchmarkError("--seconds takes 0.01 to 60")
                }
                seconds = number
            case "--thresholds": thresholds = value
            case "--new-thresholds": newThresholds = value
            case "--markdown": markdown = value
            case "--swift-version": swiftVersion = value
            case "--profile": profiled = Place(rawValue: value)
            case "--calls": profiledCalls = try Self.number(value)
            case "--callers": profiledCallers = try Self.number(value)
            case "--call": profiledCall = value == "watch" ? nil : Call(rawValue: value) ?? .ping
            default: throw BenchmarkError("\(option) is unknown\n\(Self.usage)")
            }
        }
    }

    private static func number(_ text: String) throws(BenchmarkError) -> Int {
        guard let number = Int(text), (1...100_000_000).contains(number) else {
            throw BenchmarkError("'\(text)' is not a number above 0")
        }
        return number
    }
}
