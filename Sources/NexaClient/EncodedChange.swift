import NexaProtocol
import NexaValue

/// A change in the form in which it came, for programs that pass changes on.
public struct EncodedChange: Sendable {
    /// The event as the server sent it: one map of MessagePack, with `operationType`, `ns`, `documentKey`, and what else
    /// there is. Empty for a gap.
    public let bytes: [UInt8]
    /// What happened; `nil` for a gap, and for what this version does not know.
    public let operation: ChangeKind?
    /// Whether the stream was interrupted here and changes may be missing.
    public let isGap: Bool
    /// The place behind it; `nil` from servers that have no such places.
    public let token: ResumeToken?
    /// Whether another one has come already: who writes to a buffer need not flush it yet.
    public let isFollowed: Bool

    fileprivate init(_ feed: ChangeFeed, _ item: ChangeFeed.Item) {
        switch item {
        case .change(let change):
            bytes = change.payload
            operation = change.operation.flatMap(ChangeKind.init)
            isGap = false
        case .gap:
            bytes = []
            operation = nil
            isGap = true
        }
        token = feed.token
        isFollowed = feed.hasWaitingEvents
    }
}

extension ChangeStream.AsyncIterator {
    /// The next change without decoding its documents; waits until there is one.
    ///
    /// - Throws: as `next`, but for `.decoding`.
    public nonisolated(nonsending) mutating func nextEncoded() async throws(NexaError) -> EncodedChange {
        EncodedChange(feed, try await feed.next(isolation: #isolation))
    }
}

extension DatabaseChangeStream.AsyncIterator {
    /// The next change without decoding its documents; waits until there is one.
    ///
    /// - Throws: as `next`.
    public nonisolated(nonsending) mutating func nextEncoded() async throws(NexaError) -> EncodedChange {
        EncodedChange(feed, try await feed.next(isolation: #isolation))
    }
}
