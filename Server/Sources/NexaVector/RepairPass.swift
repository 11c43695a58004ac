/// One pass over the graph that takes the links to a set of dead rows out, so that their memory can be used again
/// (as FreshDiskANN consolidates deletions; Singh et al., 2021).
///
/// It waits until nobody is left who might still link to one of them, then goes over all rows.
struct RepairPass {
    /// The rows that leave, one bit per slot; never changed once made.
    final class Leaving: Sendable {
        private let words: [UInt64]

        init(_ slots: [UInt32], bound: UInt32) {
            var words = [UInt64](repeating: 0, count: Int(bound) / 64 + 1)
            for slot in slots { words[Int(slot) / 64] |= 1 << UInt64(slot % 64) }
            self.words = words
        }

        @inline(__always)
        func contains(_ slot: UInt32) -> Bool {
            let word = Int(slot) >> 6
            return word < words.count && words[word] & (1 << UInt64(slot & 63)) != 0
        }
    }

    let slots: [UInt32]
    let leaving: Leaving
    /// Everyone who may link to a row that leaves began before this.
    let moment: Int
    /// The slots to go over, once everyone has gone; the first is the next one to do.
    var range: Range<UInt32>?
    /// Pieces that threads are at work on.
    var outstanding = 0
    /// The row of the highest level that does not leave.
    var highest: (slot: UInt32, level: Int)?
}
