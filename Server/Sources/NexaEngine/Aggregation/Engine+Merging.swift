import NexaStorage
import NexaValue

extension Engine {
    /// Writes documents by their `_id` as one commit, and waits for it.
    ///
    /// - Parameter decide: gets a document as it would be inserted, and the stored one; returns what is to be stored, or
    ///   `nil` to leave things as they are. It runs under latches, maybe more than once.
    func merge(
        _ documents: [Document], database: String, collection name: String, transaction: Transaction?,
        decide: (StampedDocument, [UInt8]?) throws(EngineError) -> [UInt8]?
    ) throws(EngineError) {
        while true {
            let collection = try catalog.collectionForWriting(database, name)
            let stamping = stamping(collection.vectorDimensions)
            var stamped: [StampedDocument] = []
            var keys: [[UInt8]] = []
            var places: [[UInt8]: Int] = [:]
            for document in documents {
                let one = try stamping.stamp(MessagePack.encode(document).span.bytes)
                let key = try DocumentKey.make(collection.number, one.id)
                // Of two documents with one _id the later one counts.
                if let place = places[key] {
                    stamped[place] = one
                } else {
                    places[key] = keys.count
                    keys.append(key)
                    stamped.append(one)
                }
            }
            let tracker = CommitTracker()
            tracker.begin()
            let attempt: WriteAttempt
            do throws(EngineError) {
                attempt = try commit(in: collection, keys: keys, options: WriteOptions(transaction: transaction)) {
                    (found) throws(EngineError) in
                    var changes: [DocumentChange] = []
                    for (place, old) in found.enumerated() {
                        guard let new = try decide(stamped[place], old) else { continue }
                        changes.append(
                            DocumentChange(
                                key: keys[place], kind: old == nil ? .insert : .update, old: old, new: new,
                                fields: old == nil ? [] : MessagePack.encode(documents[place])))
                    }
                    return changes
                } completion: {
                    tracker.end($0, of: 0)
                }
            } catch {
                tracker.end(.success(()), of: 0)
                throw error
            }
            switch attempt {
            case .queued:
                store.commitPending()
                tracker.settle()
                if let failure = tracker.takeFailures().first { throw failure.error }
                return
            case .unchanged: return tracker.end(.success(()), of: 0)
            case .dropped: tracker.end(.success(()), of: 0)
            }
        }
    }
}
