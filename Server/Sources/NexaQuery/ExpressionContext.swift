import Glibc
public import NexaValue

/// What expressions see besides the document, and how much they may do.
public struct ExpressionContext: Sendable {
    /// How much one evaluation may do.
    public struct Limits: Sendable, Hashable {
        /// Steps: roughly one for each operator applied, array element visited, and 64 bytes copied.
        public var maximumWork: Int
        /// Bytes of memory for all strings, arrays and documents that are built, however short they live.
        public var maximumBytes: Int
        /// How deep built arrays and documents may nest.
        public var maximumDepth: Int

        /// Creates limits; the defaults are 20 million steps, 256 MiB and 100 levels.
        public init(maximumWork: Int = 20_000_000, maximumBytes: Int = 256 << 20, maximumDepth: Int = 100) {
            self.maximumWork = maximumWork
            self.maximumBytes = maximumBytes
            self.maximumDepth = maximumDepth
        }

        /// The limits of the server.
        public static let standard = Limits()
    }

    /// The value of `$$NOW`, the same for the whole query.
    public var now: Timestamp
    /// The variables that the expressions were compiled with, without `$$`. A missing one counts as a missing field.
    public var variables: [String: Value]
    /// The limits of each evaluation.
    public var limits: Limits

    /// Steps of the evaluations before the last one, since somebody took it back to 0.
    package var workBefore = 0
    private var workLeft = 0
    private var bytesLeft = 0
    private var hasBegun = false
    /// Patterns that were computed rather than written down.
    private var patterns: [PatternKey: Pattern] = [:]

    private struct PatternKey: Hashable {
        let text: String
        let options: String
    }

    /// Creates a context; without a moment for `$$NOW` it takes the system's clock, in milliseconds.
    public init(now: Timestamp? = nil, variables: [String: Value] = [:], limits: Limits = .standard) {
        if let now {
            self.now = now
        } else {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            self.now = Timestamp(
                seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec / 1_000_000 * 1_000_000))
        }
        self.variables = variables
        self.limits = limits
    }

    /// Starts an evaluation with fresh limits.
    mutating func begin() {
        if hasBegun { workBefore &+= limits.maximumWork &- workLeft } else { hasBegun = true }
        workLeft = limits.maximumWork
        bytesLeft = limits.maximumBytes
    }

    /// Counts steps.
    @inline(__always) mutating func spend(_ steps: Int = 1) throws(QueryError) {
        workLeft &-= steps
        if workLeft < 0 { throw .limit("the expression takes more than \(limits.maximumWork) steps for one document") }
    }

    /// Counts memory before it is taken.
    mutating func reserve(_ bytes: Int) throws(QueryError) {
        guard bytes <= bytesLeft else {
            throw .limit("the expression builds more than \(limits.maximumBytes) bytes for one document")
        }
        bytesLeft -= bytes
        try spend(bytes / 64)
    }

    /// Bytes that a value takes without its contents.
    static let slot = 32

    /// Counts memory for the elements of an array before it is built.
    mutating func reserve(elements count: Int) throws(QueryError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: Self.slot)
        try reserve(overflow ? Int.max : bytes)
    }

    /// Counts all of a built value: what it shares with others too, because the reply will not share it.
    mutating func charge(_ value: Value?) throws(QueryError) {
        if let value { try charge(value, depth: 0) }
    }

    private mutating func charge(_ value: Value, depth: Int) throws(QueryError) {
        switch value {
        case .string(let text): try reserve(text.utf8.count)
        case .bytes(let bytes): try reserve(bytes.count)
        case .extended(let value): try reserve(value.bytes.count)
        case .vector(let vector): try reserve(vector.count * 4)
        case .array(let elements):
            try enter(depth)
            try reserve(elements: elements.count)
            for element in elements { try charge(element, depth: depth + 1) }
        case .document(let document):
            try enter(depth)
            try reserve(elements: document.count)
            for (name, value) in document {
                try reserve(name.utf8.count)
                try charge(value, depth: depth + 1)
            }
        default: break
        }
        try spend()
    }

    private func enter(_ depth: Int) throws(QueryError) {
        guard depth < limits.maximumDepth else {
            throw .limit("the expression builds values that nest deeper than \(limits.maximumDepth) levels")
        }
    }

    /// The pattern for a computed text.
    mutating func pattern(_ text: String, options: String) throws(QueryError) -> Pattern {
        let key = PatternKey(text: text, options: options)
        if let pattern = patterns[key] { return pattern }
        try spend(2000 + text.utf8.count)
        let pattern = try Pattern(text, options: options)
        if patterns.count >= 16 { patterns.removeAll() }
        patterns[key] = pattern
        return pattern
    }
}
