import CPTYKit
import Glibc

/// A program on a pseudo terminal, driven by sending keys and waiting for what appears.
///
/// There is no way to sleep: every wait has a condition and ends at once when it holds.
public final class Session {
    private let terminal: CInt
    /// The program.
    public let process: pid_t
    /// Every byte the program wrote.
    public private(set) var log: [UInt8] = []
    /// When it wrote them: the seconds since its start at which the log was that long.
    public private(set) var times: [(length: Int, seconds: Double)] = []
    private let start = Session.now
    /// What a person would see now.
    public private(set) var screen: Screen
    /// What has to live as long as the session, such as the folders it uses.
    public var companion: AnyObject?
    private var isClosed = false
    private var isHungUp = false
    private var exitCode: CInt?

    /// Starts a program. Of the environment it gets only what is given, and TERM, LANG and PATH.
    public init(
        _ path: String, _ arguments: [String] = [], environment: [String: String], columns: Int = 80, rows: Int = 24
    ) throws {
        var variables = ["TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"]
        variables.merge(environment) { $1 }
        let argv = CStrings([path] + arguments)
        let envp = CStrings(variables.map { "\($0.key)=\($0.value)" })
        var process: pid_t = 0
        terminal = ptykit_spawn(path, argv.pointers, envp.pointers, CInt(columns), CInt(rows), &process)
        guard terminal >= 0 else { throw PTYError(description: "cannot start \(path)") }
        self.process = process
        screen = Screen(columns: columns, rows: rows)
        _ = fcntl(terminal, F_SETFL, fcntl(terminal, F_GETFL) | O_NONBLOCK)
    }

    deinit {
        // A number that is none would mean every process there is.
        if exitCode == nil, process > 0 {
            kill(process, SIGKILL)
            _ = ptykit_wait(process)
        }
        if !isHungUp { close(terminal) }
    }

    // MARK: Input

    /// Types text. While the program does not read, its output is taken in, so neither waits for the other.
    public func send(_ text: String) { send([UInt8](text.utf8)) }

    /// Types bytes.
    public func send(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count, !isClosed {
            let count = bytes.withUnsafeBytes { raw in
                raw.baseAddress.map { write(terminal, $0 + offset, raw.count - offset) } ?? 0
            }
            if count > 0 { offset += count } else if errno != EAGAIN, errno != EINTR { return }
            pump(offset < bytes.count ? 10 : 0)
        }
    }

    /// Pastes text as a terminal does when bracketed paste is on.
    public func paste(_ text: String) { send("\u{1B}[200~\(text)\u{1B}[201~") }

    /// Changes the size of the terminal.
    public func resize(columns: Int, rows: Int) {
        screen.resize(columns: columns, rows: rows)
        ptykit_resize(terminal, CInt(columns), CInt(rows))
    }

    /// Sends a signal to the program itself.
    public func signal(_ number: CInt) {
        if exitCode == nil, process > 0 { kill(process, number) }
    }

    /// Closes the terminal, as a window that is closed does.
    public func hangUp() {
        guard !isHungUp else { return }
        isHungUp = true
        close(terminal)
    }

    // MARK: Waiting

    /// Takes output in until the condition holds. Returns false when the time is up or the program is gone.
    @discardableResult
    public func wait(seconds: Double = 20, until condition: (Session) -> Bool) -> Bool {
        let end = Self.now + seconds
        while true {
            if condition(self) { return true }
            let left = end - Self.now
            if left <= 0 { return false }
            if isClosed { return condition(self) }
            pump(CInt(min(left, 0.05) * 1000) + 1)
        }
    }

    /// Waits for text anywhere on the screen.
    public func sees(_ text: String, seconds: Double = 20) -> Bool {
        wait(seconds: seconds) { $0.screen.text.contains(text) }
    }

    /// Waits until the cursor's row is exactly this (blanks at the end do not count).
    public func prompts(_ line: String, seconds: Double = 20) -> Bool {
        wait(seconds: seconds) { $0.screen.cursorLine == line }
    }

    /// Waits for text among everything the program ever wrote.
    public func wrote(_ text: String, seconds: Double = 20) -> Bool {
        let needle = [UInt8](text.utf8)
        var searched = 0
        return wait(seconds: seconds) { session in
            let start = max(0, searched - needle.count)
            searched = session.log.count
            return session.log[start...].firstRange(of: needle) != nil
        }
    }

    /// Waits for the end of the program: its exit code, or 128 + the signal. `nil` when it does not end.
    public func finish(seconds: Double = 20) -> CInt? {
        if let exitCode { return exitCode }
        wait(seconds: seconds) { session in
            let code = ptykit_poll(session.process)
            if code >= 0 { session.exitCode = code }
            return session.exitCode != nil
        }
        pump(0)
        return exitCode
    }

    /// Whether the program has not ended yet.
    public var isRunning: Bool { exitCode == nil && !isClosed }

    /// The terminal's modes now: local (ECHO, ICANON, ISIG) and input (ICRNL).
    public var modes: TerminalModes {
        TerminalModes(local: ptykit_local_modes(terminal), input: ptykit_input_modes(terminal))
    }

    private func pump(_ milliseconds: CInt) {
        guard !isHungUp else {
            _ = poll(nil, 0, milliseconds)
            return
        }
        var ready = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, milliseconds) > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(terminal, &buffer, buffer.count)
        if count > 0 {
            log += buffer[..<count]
            times.append((log.count, Self.now - start))
            screen.feed(buffer[..<count])
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            if !isClosed, exitCode == nil {  // the other end is closed: the program is ending
                isClosed = true
                exitCode = ptykit_wait(process)
            }
        }
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A terminal's modes, to compare before and after.
public struct TerminalModes: Equatable {
    /// `c_lflag`.
    public var local: UInt32
    /// `c_iflag`.
    public var input: UInt32
    /// Whether typing is shown.
    public var echoes: Bool { local & UInt32(ECHO) != 0 }
    /// Whether the terminal collects whole lines.
    public var isCanonical: Bool { local & UInt32(ICANON) != 0 }
}

/// A pseudo terminal or a process could not be had.
public struct PTYError: Error, CustomStringConvertible {
    /// What could not be done.
    public var description: String
    /// Says what could not be done.
    public init(description: String) { self.description = description }
}

/// Strings for C, with a null pointer at the end.
final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[count] = nil
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
