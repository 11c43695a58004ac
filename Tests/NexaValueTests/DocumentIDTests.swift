import TestKit
import Testing

@testable import NexaValue

@Suite struct DocumentIDTests {
    /// A generator that says what the test wants, again and again.
    struct Fixed: RandomNumberGenerator {
        var value: UInt64
        func next() -> UInt64 { value }
    }

    @Test func anIDIsAUUIDOfVersionSeven() {
        var random = Fixed(value: .max)
        let id = DocumentIDGenerator().next(milliseconds: 0x0123_4567_89AB, random: &random)
        #expect(id == "0123456789ab77ffbfffffffffffffff")
        random.value = 0
        #expect(
            DocumentIDGenerator().next(milliseconds: 1, random: &random) == "00000000000170008000000000000000")
    }

    @Test func idsRiseWhenTheClockStandsOrGoesBack() {
        let generator = DocumentIDGenerator()
        var random = SplitMix64(seed: 7)
        var last = generator.next(milliseconds: 1_000_000, random: &random).rawValue
        for step in 0..<10_000 {
            let next = generator.next(milliseconds: 1_000_000 - UInt64(step), random: &random).rawValue
            #expect(next > last)
            #expect(Array(next.utf8)[12] == UInt8(ascii: "7"), "the counter stays in its bits")
            last = next
        }
    }

    @Test func idsOfManyThreadsAreDifferentAndRise() async {
        let generator = DocumentIDGenerator()
        let ids = await withTaskGroup(of: [String].self) { group in
            for _ in 0..<8 { group.addTask { (0..<5000).map { _ in generator.next().rawValue } } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for thread in ids { #expect(zip(thread, thread.dropFirst()).allSatisfy { $0 < $1 }) }
        #expect(Set(ids.joined()).count == 40_000)
        // The place in time alone tells them apart, whatever the random bits are.
        #expect(Set(ids.joined().map { $0.prefix(16) }).count == 40_000)
    }
}
