import NexaQuery
import NexaValue

/// Relaxed JSON as a document.
func relaxed(_ text: String) throws -> Document {
    try JSON.decodeDocument(text, JSON.Options(isRelaxed: true, readsExtendedForms: !text.contains("$regex")))
}

extension QueryFilter {
    /// Matches a document after encoding it.
    func matches(_ document: Document) throws -> Bool {
        let bytes = MessagePack.encode(document)
        return try matches(bytes.span.bytes)
    }
}

extension QueryError {
    /// The error of a body that must throw one.
    static func of(_ body: () throws -> Void) -> QueryError? {
        do {
            try body()
            return nil
        } catch {
            return error as? QueryError
        }
    }
}

/// A small random number generator with a seed: https://prng.di.unimi.it/splitmix64.c.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
