import NexaValue
import Synchronization

/// The documents of the last result, for `\last`.
///
/// They are kept encoded, 16 MB of them at most: what does not fit is only counted.
final class LastResult: Sendable {
    static let maximumBytes = 16 << 20

    private struct State {
        var documents: [[UInt8]] = []
        var bytes = 0
        var total = 0
        var kind = ResultKind.documents
        var columns = ResultColumns.discovered
    }

    private let state = Mutex(State())

    /// Forgets what was, because a new result begins.
    func begin(_ kind: ResultKind, _ columns: ResultColumns) {
        state.withLock { $0 = State(kind: kind, columns: columns) }
    }

    /// Keeps a document if there is room, and if all before it are kept.
    func add(_ document: Document) {
        state.withLock { state in
            state.total += 1
            guard state.documents.count == state.total - 1, state.bytes < Self.maximumBytes else { return }
            let encoded = MessagePack.encode(document)
            guard state.bytes + encoded.count <= Self.maximumBytes else {
                state.bytes = Self.maximumBytes
                return
            }
            state.bytes += encoded.count
            state.documents.append(encoded)
        }
    }

    /// What is kept: the documents, encoded, how many there were, and how they were shown.
    var content: (documents: [[UInt8]], total: Int, kind: ResultKind, columns: ResultColumns) {
        state.withLock { ($0.documents, $0.total, $0.kind, $0.columns) }
    }
}
