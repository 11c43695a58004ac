import NexaProtocol
import NexaValue

/// Which state of a changed document is returned.
public enum ReturnedDocument: Sendable, Hashable {
    /// As it was before the change.
    case before
    /// As it is after the change.
    case after
}

extension NexaCollection {
    /// Applies update operators to the first document that a filter means, and returns it, as one atomic step.
    ///
    /// - Parameters:
    ///   - filter: which document.
    ///   - update: the operators.
    ///   - sort: which one is the first; without, any one.
    ///   - upsert: when there is none, inserts a document.
    ///   - returning: the document as it was (then `nil` for an upsert), or as it is.
    ///   - options: how the call is made.
    /// - Returns: the document; `nil` when there was none.
    /// - Throws: `NexaError` as `updateOne`; `.decoding` when the document does not fit the model. It is changed then.
    @discardableResult
    public func findOneAndUpdate(
        _ filter: Filter, _ update: Update, sort: [Sort] = [], upsert: Bool = false,
        returning: ReturnedDocument = .before, options: CallOptions = .standard
    ) async throws(NexaError) -> Model? {
        let write = Request.Write(
            filter.target, try update.action(), isUpsert: upsert, arrayFilters: update.encodedFilters)
        return try await modified(write, sort, returning, "findOneAndUpdate", options)
    }

    /// Puts a document in the place of the first one that a filter means, and returns either, as one atomic step.
    ///
    /// - Throws: `NexaError` as `replace(_:with:upsert:options:)`.
    @discardableResult
    public func findOneAndReplace(
        _ filter: Filter, with model: Model, sort: [Sort] = [], upsert: Bool = false,
        returning: ReturnedDocument = .before, options: CallOptions = .standard
    ) async throws(NexaError) -> Model? {
        let write = Request.Write(filter.target, try replacement(model), isUpsert: upsert)
        return try await modified(write, sort, returning, "findOneAndReplace", options)
    }

    /// Deletes the first document that a filter means, and returns it, as one atomic step: each document is returned to
    /// one caller only, so that a collection can serve as a queue.
    ///
    /// - Throws: `NexaError` when the call fails.
    @discardableResult
    public func findOneAndDelete(
        _ filter: Filter, sort: [Sort] = [], options: CallOptions = .standard
    ) async throws(NexaError) -> Model? {
        try await modified(Request.Write(filter.target, .delete), sort, .before, "findOneAndDelete", options)
    }

    private func modified(
        _ write: Request.Write, _ sort: [Sort], _ returning: ReturnedDocument, _ operation: StaticString,
        _ options: CallOptions
    ) async throws(NexaError) -> Model? {
        let order: Value = .array(sort.map { [.string($0.path), .int(Int64($0.direction.rawValue))] })
        let reply = try await core.reply(
            to: .findAndModify(
                .init(
                    namespace: namespace, write: write, sort: sort.isEmpty ? .null : order,
                    returnsAfter: returning == .after, durability: options.wireDurability)),
            operation: operation, options: options, requiring: [.updateOperators])
        guard let offset = try reply.offset("document") else { return nil }
        return try reply.model(Model.self, at: offset, coding)
    }
}
