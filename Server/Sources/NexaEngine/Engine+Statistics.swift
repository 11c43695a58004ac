import NexaStorage
import NexaValue

extension Engine {
    /// About how many documents a collection has.
    func estimatedDocumentCount(of collection: Collection) -> Int { 0 }
}
