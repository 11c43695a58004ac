/// The first lines of a session.
enum Banner {
    /// The name in a box, the version, and how to get help, as NexaDB's shells always began.
    static func text(version: String) -> String {
        let width = 71
        let bar = String(repeating: "═", count: width)
        let tagline = "            Database for AI Developers - v\(version)"
        let lines = letters.map { "     " + $0 } + ["", tagline, ""]
        let box = lines.map { "║\($0)\(String(repeating: " ", count: max(0, width - $0.count)))║" }
        return "\n╔\(bar)╗\n\(box.joined(separator: "\n"))\n╚\(bar)╝\n\nType 'help' for commands or 'exit' to quit.\n"
    }

    /// "NEXADB" in the FIGlet font ANSI Shadow.
    private static let letters = [
        "███╗   ██╗███████╗██╗  ██╗ █████╗ ██████╗ ██████╗ ",
        "████╗  ██║██╔════╝╚██╗██╔╝██╔══██╗██╔══██╗██╔══██╗",
        "██╔██╗ ██║█████╗   ╚███╔╝ ███████║██║  ██║██████╔╝",
        "██║╚██╗██║██╔══╝   ██╔██╗ ██╔══██║██║  ██║██╔══██╗",
        "██║ ╚████║███████╗██╔╝ ██╗██║  ██║██████╔╝██████╔╝",
        "╚═╝  ╚═══╝╚══════╝╚═╝  ╚═╝╚═╝  ╚═╝╚═════╝ ╚═════╝ "
    ]
}
