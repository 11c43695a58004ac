import NexaProtocol

/// What a server must have granted for a request, as bits: every call is checked, and a set of words would be hashed.
struct RequiredCapabilities: OptionSet, Sendable, Hashable {
    let rawValue: UInt32

    static let clientIDs = Self(rawValue: 1 << 0)
    static let queryOptions = Self(rawValue: 1 << 1)
    static let errorCodes = Self(rawValue: 1 << 2)
    static let filterLogic = Self(rawValue: 1 << 3)
    static let durability = Self(rawValue: 1 << 4)
    static let atomicBatches = Self(rawValue: 1 << 5)
    static let resumeTokens = Self(rawValue: 1 << 6)
    static let scram = Self(rawValue: 1 << 7)
    static let transactions = Self(rawValue: 1 << 8)
    static let cancellation = Self(rawValue: 1 << 9)
    static let updateOperators = Self(rawValue: 1 << 10)
    static let userAdministration = Self(rawValue: 1 << 11)
    static let indexes = Self(rawValue: 1 << 12)
    static let aggregation = Self(rawValue: 1 << 13)
    static let maintenance = Self(rawValue: 1 << 14)
    static let toon = Self(rawValue: 1 << 15)
    static let vectors = Self(rawValue: 1 << 16)
    static let packedVectors = Self(rawValue: 1 << 17)
    static let aggregateExplain = Self(rawValue: 1 << 18)
    static let pipelinedTransactions = Self(rawValue: 1 << 19)

    /// The word of each bit.
    static let words: [(bit: Self, capability: Capability)] = [
        (.clientIDs, .clientIDs), (.queryOptions, .queryOptions), (.errorCodes, .errorCodes),
        (.filterLogic, .filterLogic), (.durability, .durability), (.atomicBatches, .atomicBatches),
        (.resumeTokens, .resumeTokens), (.scram, .scram), (.transactions, .transactions),
        (.cancellation, .cancellation), (.updateOperators, .updateOperators),
        (.userAdministration, .userAdministration), (.indexes, .indexes), (.aggregation, .aggregation),
        (.maintenance, .maintenance), (.toon, .toon), (.vectors, .vectors), (.packedVectors, .packedVectors),
        (.aggregateExplain, .aggregateExplain), (.pipelinedTransactions, .pipelinedTransactions)
    ]

    /// The bits of what a server grants, as far as this version knows it.
    init(_ capabilities: Set<Capability>) {
        self = []
        for (bit, capability) in Self.words where capabilities.contains(capability) { insert(bit) }
    }

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The words.
    var capabilities: [Capability] { Self.words.filter { contains($0.bit) }.map(\.capability) }
}
