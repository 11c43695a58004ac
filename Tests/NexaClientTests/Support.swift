import NexaValue
import Synchronization

/// A number that tasks count up together.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func next() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}

enum MessagePackFields {
    static func int(_ key: String, _ payload: [UInt8]) throws -> Int64 {
        try MessagePack.decodeDocument(payload)[key]?.int ?? -1
    }
}
