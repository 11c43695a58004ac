import Glibc
import NexaValue
import Testing

@Suite struct JSONStackTests {
    /// The deepest value that any limits allow is decoded, compared, encoded and released by a thread
    /// with 512 KiB of stack, the smallest that the system gives out.
    @Test func theDeepestValueFitsASmallStack() throws {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        // The frames of instrumented code are several times as large.
        let isSanitized = dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil
        pthread_attr_setstacksize(&attributes, isSanitized ? 8 << 20 : 512 << 10)
        var thread = pthread_t()
        let outcome = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        outcome.initialize(to: 0)
        defer { outcome.deallocate() }
        let created = pthread_create(
            &thread, &attributes,
            { argument in
                let depth = JSON.Limits.depthCeiling
                let text =
                    String(repeating: "[{\"a\":", count: depth / 2) + "1" + String(repeating: "}]", count: depth / 2)
                let options = JSON.Options(limits: JSON.Limits(maximumDepth: depth))
                if let value = try? JSON.decode(text, options), let again = try? JSON.string(value), again == text,
                    let copy = try? JSON.decode(again, options), copy == value
                {
                    argument?.assumingMemoryBound(to: Int.self).pointee = depth
                }
                return nil
            }, outcome)
        try #require(created == 0)
        pthread_join(thread, nil)
        #expect(outcome.pointee == JSON.Limits.depthCeiling)
    }
}
