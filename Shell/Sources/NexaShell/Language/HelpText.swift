/// What `help` prints.
enum HelpText {
    /// What `help` is asked for the keys.
    static let keysTopic = "keys"

    /// The lines of NexaDB 3.0.4's help, unchanged, and below them what this shell adds.
    static func overview(version: String) -> String {
        let title = "Nexa CLI Commands (v\(version))"
        let width = 67
        let left = (width - title.count) / 2
        let middle = String(repeating: " ", count: left) + title
        let bar = String(repeating: "═", count: width)
        return """

            ╔\(bar)╗
            ║\(middle)\(String(repeating: " ", count: max(0, width - left - title.count)))║
            ╚\(bar)╝

            Database Management (NEW in v3.0):
              databases                     List all databases
              use_db <database>             Switch to a database
              create_db <name>              Create a new database
              drop_db <name>                Drop a database (requires confirmation)

            Collection Management:
              use <collection>              Switch to a collection
              collections                   List collections in current database

            Document Operations:
              create <json>                 Create a document
              query <json>                  Query documents
              update <id> <json>            Update a document
              delete <id>                   Delete a document
              count [json]                  Count documents

            Vector Search:
              vector_search <vector> [limit] [dimensions]
                                            Search by vector similarity

            Examples:
              databases                              # List all databases
              use_db production                      # Switch to production database
              create_db staging                      # Create staging database
              use movies                             # Switch to movies collection
              create {"title": "The Matrix", "year": 1999}
              query {"year": {"$gte": 2000}}
              vector_search [0.1, 0.95, 0.1, 0.8] 3 4

            System:
              help                          Show this help
              exit / quit                   Exit CLI

            Press Ctrl+C to cancel current command
            Press Ctrl+D to quit

            More commands ('help <command>' shows how each is written):
            \(additions.joined(separator: "\n"))

            JSON may be relaxed: {year: {$gte: 2000}, title: 'Alien',}
            A command goes on over lines until its brackets are closed; ';' separates commands on one line.
            """
    }

    /// The commands that 3.0.4 did not have.
    private static var additions: [String] {
        return CommandTable.all.filter { !$0.isInOriginalHelp }.map { command in
            let padding = String(repeating: " ", count: max(1, 30 - command.name.count))
            return "  \(command.name)\(padding)\(command.summary)"
        }
    }

    /// What `help <command>` prints.
    static func about(_ command: CommandSpecification) -> String {
        var lines = [command.summary, "Usage: \(command.usage)"]
        if command.names.count > 1 { lines.append("Also: \(command.names.dropFirst().joined(separator: ", "))") }
        return (lines + command.details).joined(separator: "\n")
    }
}
