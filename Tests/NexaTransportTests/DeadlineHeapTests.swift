import TestKit
import Testing

@testable import NexaTransport

extension TransportTests {
    @Suite struct DeadlineHeapTests {
        @Test(arguments: [1, 2, 3, 42] as [UInt64])
        func agreesWithASortedListOnRandomSchedules(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            var heap = DeadlineHeap<Int, Int>()
            var reference: [(deadline: Int, payload: Int)] = []
            var ids: [(id: DeadlineHeap<Int, Int>.ID, payload: Int)] = []
            for step in 0..<5000 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let deadline = Int.random(in: 0..<1000, using: &random)
                    ids.append((heap.insert(step, at: deadline), step))
                    reference.append((deadline, step))
                case 5..<8:
                    guard !ids.isEmpty else { continue }
                    let (id, payload) = ids.remove(at: Int.random(in: 0..<ids.count, using: &random))
                    let known = reference.firstIndex { $0.payload == payload }
                    #expect(heap.remove(id) == known.map { reference[$0].payload })
                    #expect(heap.remove(id) == nil, "a second removal touches nothing")
                    if let known { reference.remove(at: known) }
                default:
                    let now = Int.random(in: 0..<1000, using: &random)
                    let popped = heap.popExpired(now)
                    let earliest = reference.map(\.deadline).min()
                    if let popped, let known = reference.firstIndex(where: { $0.payload == popped }) {
                        #expect(reference[known].deadline == earliest)
                        reference.remove(at: known)
                    } else {
                        #expect(earliest.map { $0 > now } ?? true)
                    }
                }
                #expect(heap.count == reference.count)
                #expect(heap.next == reference.map(\.deadline).min())
            }
        }

        @Test func aStaleIDNeverRemovesTheNextUserOfItsSlot() {
            var heap = DeadlineHeap<Int, String>()
            let first = heap.insert("first", at: 1)
            #expect(heap.popExpired(1) == "first")
            _ = heap.insert("second", at: 2)
            #expect(heap.remove(first) == nil)
            #expect(heap.popExpired(2) == "second")
        }
    }
}
