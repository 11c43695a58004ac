public import NexaValue

/// What became of each document of a bulk insert, in the order given.
public struct BulkResult: Sendable {
    /// The id of each document that was inserted, or why it was not.
    public var outcomes: [Result<DocumentID, NexaError>]

    /// How many documents were inserted.
    public var succeeded: Int {
        outcomes.count { if case .success = $0 { true } else { false } }
    }

    /// The ids of the documents that were inserted.
    public var ids: [DocumentID] { outcomes.compactMap { try? $0.get() } }

    /// The first failure, if any.
    public var firstError: NexaError? {
        for case .failure(let error) in outcomes { return error }
        return nil
    }
}
