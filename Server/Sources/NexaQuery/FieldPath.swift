import NexaValue

/// A dotted path, split once.
struct FieldPath: Sendable, Hashable {
    /// One name of the path.
    struct Part: Sendable, Hashable {
        /// The name in UTF-8.
        let name: [UInt8]
        /// Up to eight bytes of the name as one number, for a first comparison.
        let prefix: UInt64
        /// The name as an array index, or -1.
        let arrayIndex: Int

        init(_ text: some StringProtocol) {
            let name = Array(text.utf8)
            prefix = name.span.bytes.prefixWord(at: 0, count: name.count)
            arrayIndex = name.span.bytes.decimalIndex ?? -1
            self.name = name
        }

        /// Whether this is the name at an offset of encoded bytes.
        @inline(__always) func equals(_ span: RawSpan, at offset: Int, count: Int, prefix: UInt64) -> Bool {
            guard count == name.count, prefix == self.prefix else { return false }
            return count <= 8 || span.extracting(offset..<offset &+ count).elementsEqual(name.span.bytes)
        }
    }

    static let maximumParts = 100

    let parts: [Part]

    init(_ path: String) throws(QueryError) {
        parts = path.split(separator: ".", omittingEmptySubsequences: false).map { Part($0) }
        guard parts.count <= Self.maximumParts else {
            throw .limit("the path \(path.prefix(40))… has more than \(Self.maximumParts) parts")
        }
        // A stored name is text of any kind, but an empty part is a slip: "a..b" or ".a".
        guard parts.count == 1 || parts.allSatisfy({ !$0.name.isEmpty }) else {
            throw QueryError(.invalidPath, "the path \"\(path)\" has an empty part")
        }
    }
}

extension RawSpan {
    /// The first bytes of a name, at most eight, as one number.
    @inline(__always) func prefixWord(at offset: Int, count: Int) -> UInt64 {
        if count >= 8 || offset &+ 8 <= byteCount {
            let word = UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            return count >= 8 ? word : word & ((1 &<< UInt64(count &* 8)) &- 1)
        }
        var word: UInt64 = 0
        for index in 0..<count {
            word |= UInt64(unsafe unsafeLoad(fromByteOffset: offset &+ index, as: UInt8.self)) &<< UInt64(index &* 8)
        }
        return word
    }
}
