import Testing

@testable import NexaClient

@Suite struct IndexPauseTests {
    /// How often a client asks how far an index is.
    @Test func itIsAskedMoreOftenNearTheEnd() {
        let second = Duration.seconds(1)
        #expect(NexaIndex.pause(elapsed: second, share: 0.1) == second / 8, "an eighth at most")
        #expect(NexaIndex.pause(elapsed: second, share: 0) == second / 8)
        #expect(NexaIndex.pause(elapsed: second, share: 1) == second / 32)
        #expect(NexaIndex.pause(elapsed: second, share: 3) == second / 32, "the number of documents is an estimate")
        let between = NexaIndex.pause(elapsed: second, share: 0.9)
        #expect(between > second / 32 && between < second / 8)
        #expect(NexaIndex.pause(elapsed: .zero, share: 0) == .microseconds(300))
        #expect(NexaIndex.pause(elapsed: .seconds(3600), share: 0.01) == .milliseconds(250))
    }
}
