import CNexaDigest

extension SHA256 {
    /// The digest of bytes that come in pieces.
    public struct Stream: Sendable {
        private var state = SHA256.initialState
        private var taken = 0
        /// Fewer than 64 bytes that wait for the rest of their block.
        private var rest: [UInt8] = []

        /// The digest of nothing so far.
        public init() {}

        /// Takes bytes in.
        public mutating func update(_ bytes: [UInt8]) {
            var bytes = bytes[...]
            if !rest.isEmpty {
                let missing = bytes.prefix(64 - rest.count)
                rest += missing
                bytes = bytes.dropFirst(missing.count)
                guard rest.count == 64 else { return }
                take(rest[...])
                rest.removeAll(keepingCapacity: true)
            }
            take(bytes.prefix(bytes.count / 64 * 64))
            rest += bytes.suffix(bytes.count % 64)
        }

        private mutating func take(_ blocks: ArraySlice<UInt8>) {
            guard !blocks.isEmpty else { return }
            blocks.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                nexa_sha256_blocks(&state, base, buffer.count / 64)
            }
            taken += blocks.count
        }

        /// The digest of what was taken in.
        public func digest() -> [UInt8] { SHA256.finish(state, behind: taken, rest) }
    }
}
