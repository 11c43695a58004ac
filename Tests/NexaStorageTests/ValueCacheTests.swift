import TestKit
import Testing

@testable import NexaStorage

@Suite struct ValueCacheTests {
    private func find(_ cache: ValueCache, _ key: [UInt8]) -> [UInt8]? {
        guard case .hit(let hit) = key.withUnsafeBytes({ cache.find($0) }) else { return nil }
        return Array(hit.bytes[hit.start...])
    }

    private func ticket(_ cache: ValueCache, _ key: [UInt8]) -> ValueCache.Ticket? {
        guard case .miss(let ticket) = key.withUnsafeBytes({ cache.find($0) }) else { return nil }
        return ticket
    }

    private func offer(_ cache: ValueCache, _ key: [UInt8], _ value: [UInt8], _ ticket: ValueCache.Ticket) {
        key.withUnsafeBytes { key in value.withUnsafeBytes { cache.offer(key, $0, ticket) } }
    }

    @Test func whatWasReadBeforeAChangeIsNotTakenAfterIt() throws {
        let cache = ValueCache(capacity: 1 << 20)
        let key: [UInt8] = [1, 2, 3]
        let before = try #require(ticket(cache, key))
        offer(cache, key, [1], before)
        #expect(find(cache, key) == [1])
        var change = ValueCache.Change()
        key.withUnsafeBytes { cache.beginChange($0, &change) }
        #expect(find(cache, key) == nil, "gone before the tables change")
        let during = try #require(ticket(cache, key))
        offer(cache, key, [1], during)
        #expect(find(cache, key) == nil, "nothing is taken while they change")
        cache.endChange(change)
        offer(cache, key, [1], during)
        offer(cache, key, [1], before)
        #expect(find(cache, key) == nil, "nor what was read before they had changed")
        offer(cache, key, [2], try #require(ticket(cache, key)))
        #expect(find(cache, key) == [2])
        var all = ValueCache.Change()
        let old = try #require(ticket(cache, [9]))
        cache.beginChangeOfAll(&all)
        cache.endChange(all)
        offer(cache, [9], [1], old)
        #expect(find(cache, key) == nil && find(cache, [9]) == nil)
    }

    @Test func itStaysWithinItsBounds() throws {
        // Compared with a model: what is found is always what was offered last, and never too much of it.
        let capacity = 1 << 20
        let cache = ValueCache(capacity: capacity)
        var random = SplitMix64(seed: 3)
        var model: [[UInt8]: [UInt8]] = [:]
        var hits = 0
        for _ in 0..<60_000 {
            let number = random.next() % 4000
            let key = [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
            if random.next() % 4 == 0 {
                var change = ValueCache.Change()
                key.withUnsafeBytes { cache.beginChange($0, &change) }
                cache.endChange(change)
                model[key] = nil
            }
            if let found = find(cache, key) {
                hits += 1
                #expect(found == model[key])
            } else if let ticket = ticket(cache, key) {
                let value = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: random.next()), count: Int(random.next() % 2000))
                offer(cache, key, value, ticket)
                model[key] = value
            }
        }
        #expect(hits > 1000)
        let kept = model.keys.compactMap { find(cache, $0)?.count }.reduce(0, +)
        #expect(kept <= capacity && kept > capacity / 4)
    }
}
