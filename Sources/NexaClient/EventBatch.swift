/// Change events that came together, in one piece of memory: one allocation for a read, instead of one for each event.
struct EventBatch: Sendable {
    let bytes: [UInt8]
    /// Where the payloads are.
    let ranges: [Range<Int>]

    /// Copies what lies between the first and the last of the payloads, which are in order.
    init(_ payloads: [Range<Int>], of read: RawSpan) {
        let start = payloads.first?.lowerBound ?? 0
        let end = payloads.last?.upperBound ?? start
        bytes = read.extracting(start..<end).withUnsafeBytes { Array($0) }
        ranges = payloads.map { $0.lowerBound - start..<$0.upperBound - start }
    }
}

extension EventBatch: RandomAccessCollection {
    var startIndex: Int { 0 }
    var endIndex: Int { ranges.count }
    /// The payload of one event.
    subscript(index: Int) -> [UInt8] { Array(bytes[ranges[index]]) }
}
