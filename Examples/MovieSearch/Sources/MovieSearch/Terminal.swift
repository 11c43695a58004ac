import Foundation

/// What is for the person, not for the pipe.
enum Terminal {
    /// Shows a line in the place of the last; `nil` removes it. Nothing when nobody looks.
    static func progress(_ text: String?) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text ?? "")".utf8))
    }

    /// Ends the program with a sentence.
    static func fail(_ message: String) -> Never {
        progress(nil)
        FileHandle.standardError.write(Data("MovieSearch: \(message)\n".utf8))
        exit(1)
    }
}
