import Glibc

/// A time of the clock that `ContinuousClock` reads, as one number.
///
/// `ContinuousClock.Instant` belongs to a library whose types may grow, so every struct that holds one is laid out, copied
/// and compared at run time. Each call of the client handles a dozen of them.
public struct MonotonicInstant: Sendable, Hashable, Comparable {
    /// Nanoseconds since the system was started, sleep included.
    public let nanoseconds: Int64

    /// A time so many nanoseconds after the system was started.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// This moment.
    public static var now: MonotonicInstant {
        var time = timespec()
        // Fails only for a clock that does not exist.
        clock_gettime(CLOCK_BOOTTIME, &time)
        return MonotonicInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Whether a time is before another.
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The time so much later; the end of time, in 292 years, when there is none.
    public static func + (instant: Self, duration: Duration) -> Self {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(nanoseconds(duration))
        return Self(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// The time so much earlier.
    public static func - (instant: Self, duration: Duration) -> Self {
        instant + (.zero - duration)
    }

    /// Makes it so much later.
    public static func += (instant: inout Self, duration: Duration) { instant = instant + duration }

    /// How much later a time is than another.
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }

    /// Parts of a nanosecond are dropped; what is beyond 292 years is 292 years.
    private static func nanoseconds(_ duration: Duration) -> Int64 {
        Int64(clamping: duration.attoseconds / 1_000_000_000)
    }
}
