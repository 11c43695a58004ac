import NexaProtocol
import Testing

@testable import NexaClient

@Suite struct RequiredCapabilitiesTests {
    @Test func everyWordHasABitOfItsOwn() {
        let words = RequiredCapabilities.words
        #expect(Set(words.map(\.capability)) == Set(Capability.all))
        #expect(words.count == Capability.all.count)
        #expect(Set(words.map(\.bit.rawValue)).count == words.count)
        #expect(words.allSatisfy { $0.bit.rawValue.nonzeroBitCount == 1 })
    }

    @Test func whatAServerGrantsBecomesBits() {
        let granted = RequiredCapabilities([.clientIDs, .toon, Capability(rawValue: "of the future")])
        #expect(granted == [.clientIDs, .toon])
        #expect(Set(granted.capabilities) == [.clientIDs, .toon])
        let missing: RequiredCapabilities = [.toon, .vectors]
        #expect(missing.subtracting(granted) == [.vectors])
    }
}
