import NexaValue

/// An estimate of how many tokens a language model takes a text for, without the vocabulary of any model.
///
/// The rule, over the UTF-8 bytes of the text, cuts it as byte-pair encoders do before they merge: words with the blank
/// before them, digits by three, runs of punctuation, line breaks with the indentation behind them. What each part costs
/// is fitted to texts of films in JSON and TOON, numbers and identifiers, of which it is within 6 % of the vocabulary
/// o200k_base; `Tests/Benchmarks/toon.sh` measures the error. It compares formats of the same data; it is no invoice.
public struct TokenEstimate: Sendable, Hashable {
    private var halves = 0
    private var kind = Kind.none
    private var length = 0

    private enum Kind: Sendable, Hashable { case none, word, digits, blank, punctuation, other }

    /// Creates an estimate of an empty text.
    public init() {}

    /// The estimate of a whole text.
    public static func count(_ bytes: RawSpan) -> Int {
        var estimate = TokenEstimate()
        estimate.add(bytes)
        return estimate.count
    }

    /// The number of tokens up to now.
    public var count: Int { (halves + cost + 1) / 2 }

    /// Goes on with the next part of the text, wherever it was cut.
    public mutating func add(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { buffer in
            for byte in buffer { add(byte) }
        }
    }

    @inline(__always) private mutating func add(_ byte: UInt8) {
        let next: Kind =
            switch byte {
            case 0x41...0x5A, 0x61...0x7A: .word
            case 0x30...0x39: .digits
            case 0x09...0x0D, 0x20: .blank
            case 0x80...: .other
            default: .punctuation
            }
        if next == kind {
            length &+= 1
            return
        }
        // A blank belongs to the word behind it.
        let isAttached = kind == .blank && length == 1 && next == .word
        if !isAttached { halves &+= cost }
        kind = next
        length = 1
    }

    /// What the part that is being read costs, in halves of a token.
    @inline(__always) private var cost: Int {
        switch kind {
        case .none: 0
        case .word: length <= 7 ? 2 : 2 &+ (length &- 4) / 4
        case .digits: (length &+ 2) / 3 &* 2
        case .blank: length == 1 ? 1 : 2
        case .punctuation: length <= 2 ? 2 : length
        case .other: max(2, length)
        }
    }
}
