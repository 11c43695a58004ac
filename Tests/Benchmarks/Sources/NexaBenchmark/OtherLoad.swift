import Glibc

/// How much of the machine went to somebody else during the comparison: the first thing to look at when
/// numbers scatter.
struct OtherLoad {
    private let targets: [any Target]
    private let before: Sample

    private struct Sample {
        /// Of all processors together, in nanoseconds.
        var busy: Int64 = 0
        var stolen: Int64 = 0
        var total: Int64 = 0
        /// What the client and the measured servers used of it.
        var own: Int64 = 0
    }

    init(_ targets: [any Target]) {
        self.targets = targets
        before = Self.sample(targets)
    }

    /// One sentence about the time since this value was made.
    var description: String {
        let now = Self.sample(targets)
        let total = Double(now.total - before.total)
        guard total > 0 else { return "What else ran on the machine is unknown." }
        let others = Double((now.busy - before.busy) - (now.own - before.own))
        return "Other processes took \(percent(max(0, others) / total)) of the processors' time, "
            + "the hypervisor \(percent(Double(now.stolen - before.stolen) / total))."
    }

    private func percent(_ part: Double) -> String { fixed(part * 100, places: 0) + " %" }

    private static func sample(_ targets: [any Target]) -> Sample {
        var sample = Sample()
        let tick = 1_000_000_000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let text = String(decoding: (try? contents(ofFile: "/proc/stat")) ?? [], as: UTF8.self)
        // user nice system idle iowait irq softirq steal; guest time is part of user.
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8)
            .map { (Int64($0) ?? 0) * tick }
        guard fields.count == 8 else { return sample }
        sample.total = fields.reduce(0, +)
        sample.stolen = fields[7]
        sample.busy = sample.total - fields[3] - fields[4] - fields[7]
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        sample.own = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        for target in targets { sample.own += target.cpuNanoseconds ?? 0 }
        return sample
    }
}
