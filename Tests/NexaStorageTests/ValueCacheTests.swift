import TestKit
import Testing

@testable import NexaStorage

@Suite struct ValueCacheTests {
    private func find(_ cache: ValueCache, _ key: [UInt8]) -> [UInt8]? {
        var copy: [UInt8] = []
        return key.withUnsafeBytes { cache.find($0) { copy = Array($0) } } == nil ? copy : nil
    }

    private func ticket(_ cache: ValueCache, _ key: [UInt8]) -> ValueCache.Ticket? {
        key.withUnsafeBytes { cache.find($0) { _ in } }
    }

    private func offer(_ cache: ValueCache, _ key: [UInt8], _ value: [UInt8], _ ticket: ValueCache.Ticket) {
        key.withUnsafeBytes { key in value.withUnsafeBytes { cache.offer(key, $0, ticket) } }
    }

    private func begin(_ cache: ValueCache, _ key: [UInt8], _ value: [UInt8]?, _ change: inout ValueCache.Change) {
        key.withUnsafeBytes { key in
            guard let value else { return cache.beginChange(key, nil, &change) }
            value.withUnsafeBytes { cache.beginChange(key, $0, &change) }
        }
    }

    @Test func whatWasReadBeforeAChangeIsNotTakenAfterIt() throws {
        let cache = ValueCache(capacity: 1 << 20)
        let key: [UInt8] = [1, 2, 3]
        let before = try #require(ticket(cache, key))
        offer(cache, key, [1], before)
        #expect(find(cache, key) == [1])
        var change = ValueCache.Change()
        begin(cache, key, nil, &change)
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

    @Test func whatAChangeWritesIsFoundOnceItIsMade() throws {
        let cache = ValueCache(capacity: 1 << 20)
        let key: [UInt8] = [1, 2, 3]
        // Of several values in one change the last one counts; longer ones than the stack takes are copied, too.
        for value in [[5], [], [UInt8](repeating: 6, count: 1024), [UInt8](repeating: 7, count: 3000)] as [[UInt8]] {
            var change = ValueCache.Change()
            begin(cache, key, [9], &change)
            begin(cache, key, value, &change)
            #expect(find(cache, key) == nil, "not before the tables show it")
            cache.endChange(change)
            #expect(find(cache, key) == value)
            guard
                case .hit(let copy) = key.withUnsafeBytes({ key in
                    cache.read(key) { $0.withUnsafeBytes { Array($0) } }
                })
            else {
                Issue.record("read finds what find does")
                continue
            }
            #expect(copy == value)
        }
        var change = ValueCache.Change()
        begin(cache, key, [5], &change)
        begin(cache, key, nil, &change)
        cache.endChange(change)
        #expect(find(cache, key) == nil, "written and then removed")
        var failed = ValueCache.Change()
        begin(cache, key, [5], &failed)
        cache.endChange(failed, isMade: false)
        #expect(find(cache, key) == nil, "the tables never had it")
        var later = ValueCache.Change()
        begin(cache, key, [5], &later)
        cache.endChange(later)
        // Hidden is only what the change at hand writes, not what others wrote before.
        var other = ValueCache.Change()
        for number in UInt8(0)...255 where number != 1 { begin(cache, [number], [number], &other) }
        #expect(find(cache, key) == [5])
        cache.endChange(other)
        #expect(find(cache, key) == [5] && find(cache, [7]) == [7])
    }

    @Test(arguments: [64 << 10, 1 << 20, 3_000_001]) func itIsLikeADictionaryThatForgets(_ capacity: Int) throws {
        let cache = ValueCache(capacity: capacity)
        let seed = UInt64.random(in: 0...(.max))
        var random = SplitMix64(seed: seed)
        // What the tables would hold: what is found is always that, and never too much of it.
        var model: [[UInt8]: [UInt8]] = [:]
        var hits = 0
        for round in 0..<60_000 {
            let number = random.next() % 4000
            // Keys of several lengths, some of which begin as others do.
            let key =
                [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
                + [UInt8](repeating: 7, count: Int(number % 40))
            let value = [UInt8](
                repeating: UInt8(truncatingIfNeeded: random.next()),
                count: Int(random.next() % (round % 9 == 0 ? 2000 : 90)))
            switch random.next() % 16 {
            case 0...2:
                var change = ValueCache.Change()
                begin(cache, key, value, &change)
                model[key] = value
                cache.endChange(change)
            case 3:
                var change = ValueCache.Change()
                begin(cache, key, nil, &change)
                model[key] = nil
                cache.endChange(change)
            case 4 where round < 30_000 && random.next() % 200 == 0:
                var change = ValueCache.Change()
                cache.beginChangeOfAll(&change)
                cache.endChange(change)
            default:
                if let found = find(cache, key) {
                    hits += 1
                    #expect(found == model[key], "seed \(seed)")
                } else if let value = model[key], let ticket = ticket(cache, key) {
                    offer(cache, key, value, ticket)
                }
            }
        }
        #expect(hits > 1000, "seed \(seed)")
        let kept = model.keys.compactMap { key in find(cache, key).map { $0.count + key.count } }.reduce(0, +)
        #expect(kept <= capacity, "seed \(seed)")
        if capacity <= 1 << 18 { #expect(kept > capacity / 3, "seed \(seed)") }
    }

    @Test func whatIsReadStaysAndWhatIsNotGoes() throws {
        let cache = ValueCache(capacity: 1 << 20)
        let hot = (0..<100).map { [1, UInt8($0)] }
        for key in hot { offer(cache, key, [UInt8](repeating: 1, count: 100), try #require(ticket(cache, key))) }
        // Ten times as much as there is room for goes through; what is read now and then stays.
        for number in 0..<100_000 {
            let key: [UInt8] = [2, UInt8(number & 255), UInt8(number >> 8 & 255), UInt8(number >> 16)]
            var change = ValueCache.Change()
            begin(cache, key, [UInt8](repeating: 2, count: 80), &change)
            cache.endChange(change)
            if number % 1000 == 0 { for key in hot { _ = find(cache, key) } }
        }
        #expect(hot.count { find(cache, $0) != nil } == 100)
        #expect(find(cache, [2, 0, 0, 0]) == nil)
    }

    @Test func tooLittleMemoryHoldsNothing() throws {
        for capacity in [-1, 0, 1000, 60_000] {
            let cache = ValueCache(capacity: capacity)
            #expect(!cache.isEnabled)
            offer(cache, [1], [1], try #require(ticket(cache, [1])))
            var change = ValueCache.Change()
            begin(cache, [1], [1], &change)
            cache.endChange(change)
            #expect(find(cache, [1]) == nil)
        }
    }
}
