import CNexaVector

/// The instructions that distances are computed with; the best that the processor has, unless something else is asked.
public enum VectorInstructions: Int32, Sendable, CaseIterable, Comparable {
    /// Whatever every processor of the kind has.
    case portable = 0
    /// AVX2 with FMA and F16C.
    case avx2 = 1
    /// AVX-512F.
    case avx512 = 2
    /// AVX-512F, BW and VNNI.
    case vnni = 3

    /// What is in use in this thread.
    public static var inUse: VectorInstructions { VectorInstructions(rawValue: nexa_instructions()) ?? .portable }

    /// Uses nothing better than this in the calling thread, for tests and comparisons; `vnni` is no limit.
    public static func limit(to best: VectorInstructions) { nexa_limit_instructions(best.rawValue) }

    /// The more instructions, the greater.
    public static func < (first: VectorInstructions, second: VectorInstructions) -> Bool {
        first.rawValue < second.rawValue
    }
}
