import Glibc
import Testing

@testable import NexaShell

/// What comes in the background waits, but never without a bound, and never unsaid.
@Suite struct NoticeBoardTests {
    private func isReadable(_ board: NoticeBoard) -> Bool {
        var ready = pollfd(fd: board.arrived.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, 0) == 1
    }

    @Test func aFloodIsCountedNotKept() {
        let board = NoticeBoard()
        #expect(!isReadable(board) && board.take().isEmpty)
        for number in 0..<10_000 { board.post("line \(number)") }
        #expect(isReadable(board))
        let lines = board.take()
        #expect(lines.count == NoticeBoard.mostLines + 1)
        #expect(lines.first == "line 0" && lines.last == "… and 9800 more lines, too fast to be shown")
        #expect(!isReadable(board) && board.take().isEmpty)
        board.post("later")
        #expect(isReadable(board) && board.take() == ["later"])
    }
}
