import Testing

@testable import NexaValue

/// What a writer was told is secret does not stay in memory that is used again.
@Suite struct SecretWriterTests {
    private func holdsNothing(_ writer: borrowing MessagePackWriter) -> Bool {
        UnsafeRawBufferPointer(start: writer.base, count: writer.capacity).allSatisfy { $0 == 0 }
    }

    @Test func removingOverwritesAllThatWasWritten() {
        var writer = MessagePackWriter(capacity: 1024)
        writer.isSecret = true
        let start = writer.count
        writer.write("password" as Value)
        writer.truncate(to: start)
        writer.write(1 as Value)
        writer.removeAll()
        let (isOverwritten, isSecret) = (holdsNothing(writer), writer.isSecret)
        #expect(isOverwritten && !isSecret)
        // Not so without being told.
        writer.write("title" as Value)
        writer.removeAll()
        let isLeft = !holdsNothing(writer)
        #expect(isLeft)
    }
}
